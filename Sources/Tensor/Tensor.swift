// Tensor: immutable n-dimensional values over pooled, aligned storage, and the kernels that compute with them.
