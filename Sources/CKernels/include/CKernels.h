// Our C: element-wise, normalisation and optimizer kernels, and the oneDNN shim. One header a family.
#pragma once
