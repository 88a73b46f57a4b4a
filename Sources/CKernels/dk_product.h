// Matrix products of our own for processors with AVX-512: C = alpha A B, in blocks that stay in cache, with what follows
// a product (bias, activation, residual) done while its tile is still in the first-level cache.
#pragma once
#include "dk_panels.h"
#include "dk_matrix.h"

typedef struct {
  int64_t m, n, k;
  dk_source a, b;
  float alpha;
  int add;               // C += instead of C =
  float *c;              // may be null where `after` rounds, and the sum is one block
  int64_t stride;        // floats from one row of C to the next
  const int64_t *rows;   // null, or the offset of every row of C from `c` (`after` must be null then)
  int bfloat16;
  const dk_after *after; // null: nothing
  const float *packed;   // null, or B's panels from `dk_product_pack` under the same n, k and kind of numbers
} dk_product;

/// Whether this processor has what the products need (AVX-512), and for bfloat16 (AVX512_BF16).
int dk_has_products(void);
int dk_has_bfloat16_products(void);

/// Whether sums are made in one go, without going through C.
int dk_product_is_one_block(const dk_product *product);
/// The product on `dk_threads()` threads. Every number is summed in an order that depends on k alone.
void dk_product_run(const dk_product *product);
/// B's panels, for many products with the same B: how many floats they take, in how many units they are packed, and some
/// of these units, to a multiple of 64 bytes.
int64_t dk_product_packed_size(const dk_product *product);
int64_t dk_product_packed_units(const dk_product *product);
void dk_product_pack(const dk_product *product, int64_t begin, int64_t end, float *to);
/// The same on the calling thread.
void dk_product_run_alone(const dk_product *product);

/// One product on the calling thread, by BLAS's arguments, with either kind of numbers, on any processor.
void dk_product_here(
  int bfloat16, int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
  int64_t a_stride, const float *b, int64_t b_stride, float beta, float *c, int64_t c_stride);
