#pragma once
#include <stdint.h>

#include "dk_elementwise.h"

// The numbers that products multiply: float32 as they are, or rounded to bfloat16 (8 bits of mantissa) while they are
// packed. Sums are float32 in both. A setting of the calling thread; 0 unless it says otherwise.
int dk_bfloat16(void);
void dk_set_bfloat16(int on);
// Whether this processor multiplies bfloat16 numbers itself (AVX512_BF16); without it the setting changes nothing.
int dk_has_bfloat16(void);

// What follows a product, done while its numbers are still near the core: for the number v in row i and column j,
//   v += bias[j];  slopes[i, j] = f'(v), v = f(v), or v *= factors[i, j];  v *= scale[j];  v += residual[i, j]
// where each pointer may be null, and then nothing is done.
typedef struct {
  const float *bias;
  int has_activation;
  dk_unary activation;  // relu, gelu, gelu_tanh, quick_gelu or silu
  void *slopes;         // floats, or bfloat16 numbers if `halves`
  const void *factors;  // the same
  const float *scale;
  const float *residual;
  int64_t stride;       // numbers from one row of slopes, factors, residual and rounded to the next
  int halves;           // only where `dk_has_bfloat16()`
  uint16_t *rounded;    // with `halves`: the result goes here, as bfloat16, and not to C
} dk_after;

// C[m, n] = alpha · op(A)[m, k] · op(B)[k, n] + beta · C, row-major, on `dk_threads()` threads. Rows of A may overlap
// (a_stride below k). beta is 0 or 1. `after` may be null. A fixed thread count gives the same bits run after run; with
// AVX-512 any count does.
void dk_matrix_product(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                       int64_t a_stride, const float *b, int64_t b_stride, float beta, float *c, int64_t c_stride,
                       const dk_after *after);

// A matrix: floats, or bfloat16 numbers (only where `dk_has_bfloat16()`, and with an even number of terms of the sum
// where these are adjacent).
typedef struct {
  const void *base;
  int64_t stride;
  int transposed, halves;
} dk_operand;

// op(A) · op(B) where either may be bfloat16 already; both are multiplied as such. `c` may be null where `after` rounds.
void dk_matrix_product_rounded(int64_t m, int64_t n, int64_t k, dk_operand a, dk_operand b, float *c, int64_t c_stride,
                               const dk_after *after);

// a · B or a · Bᵀ under the thread's setting, where B is `count` matrices of `piece` rows, a multiple of 32, one above the
// other: B is [count · piece, columns], row-major without gaps. Only where `dk_has_stacked_products()`.
int dk_has_stacked_products(void);
void dk_stacked_product(int transpose_b, int64_t m, int64_t columns, const float *a, int64_t a_stride, int64_t count,
                        int64_t piece, const float *const *pieces, float *c, const dk_after *after);

// A right factor, B or Bᵀ [k, n], that many products have in common, packed under the thread's setting: the floats that it
// takes, 0 on processors that have no packed products; the units that it is packed in; and packing some of these, to a
// multiple of 64 bytes, on `dk_threads()` threads. `k` is above 0.
int64_t dk_factor_size(int64_t n, int64_t k);
int64_t dk_factor_units(int64_t n, int64_t k);
void dk_pack_factor(int transpose_b, int64_t n, int64_t k, const float *b, int64_t b_stride, int64_t begin, int64_t end,
                    float *to);
// C = op(A) · B, or C += if `adds`, the same bits as `dk_matrix_product`'s or `dk_matrix_product_rounded`'s. `c` may be
// null where `after` rounds.
void dk_packed_product(int64_t m, int64_t n, int64_t k, dk_operand a, const float *packed, int adds, float *c,
                       int64_t c_stride, const dk_after *after);

// `batch` products of the same shape; `*_step` is the distance between consecutive matrices (0: the same one).
void dk_matrix_product_batch(int64_t batch, int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k,
                             float alpha, const float *a, int64_t a_stride, int64_t a_step, const float *b,
                             int64_t b_stride, int64_t b_step, float beta, float *c, int64_t c_stride, int64_t c_step);
