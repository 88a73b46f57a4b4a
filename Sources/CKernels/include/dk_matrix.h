#pragma once
#include <stdint.h>

// C[m, n] = alpha · op(A)[m, k] · op(B)[k, n] + beta · C, row-major, on `dk_threads()` threads: the rows (or columns) of C
// are cut among them and each piece is one single-threaded OpenBLAS product, so that one pool of threads serves all.
// A fixed thread count gives the same bits run after run.
void dk_matrix_product(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                       int64_t a_stride, const float *b, int64_t b_stride, float beta, float *c, int64_t c_stride);

// `batch` products of the same shape; `*_step` is the distance between consecutive matrices (0: the same one).
void dk_matrix_product_batch(int64_t batch, int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k,
                             float alpha, const float *a, int64_t a_stride, int64_t a_step, const float *b,
                             int64_t b_stride, int64_t b_step, float beta, float *c, int64_t c_stride, int64_t c_step);
