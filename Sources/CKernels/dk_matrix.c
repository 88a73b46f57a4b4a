#include "dk_matrix.h"

#include <cblas.h>
#include <stdlib.h>

#include "dk_after.h"
#include "dk_parallel.h"
#include "dk_product.h"
#include "dnnl_engine.h"

// OpenBLAS (the products of processors without AVX-512) keeps its own pool at one thread: our callers are threads of
// OpenMP's pool already, and its count would be one setting for the whole process.
__attribute__((constructor)) static void pin_openblas(void) { openblas_set_num_threads(1); }

static _Thread_local int halves = 0;
int dk_bfloat16(void) { return halves; }
void dk_set_bfloat16(int on) { halves = on && dk_has_bfloat16(); }
int dk_has_bfloat16(void) { return dk_has_bfloat16_products(); }

struct product {
  int ta, tb, by_rows, halves;
  int64_t m, n, k;
  float alpha, beta;
  const float *a, *b;
  float *c;
  int64_t as, bs, cs, a_step, b_step, c_step;
  const dk_after *after;
};

static dk_product own_product(const struct product *p, const float *a, const float *b, float *c) {
  return (dk_product){
    .m = p->m, .n = p->n, .k = p->k, .alpha = p->alpha, .add = p->beta != 0, .c = c, .stride = p->cs,
    .bfloat16 = p->halves, .after = p->after,
    .a = dk_strided_source(a, p->ta ? 1 : p->as, p->ta ? p->as : 1),
    .b = dk_strided_source(b, p->tb ? p->bs : 1, p->tb ? 1 : p->bs)};
}

// MARK: Without AVX-512

static void multiply(const struct product *p, int64_t m, int64_t n, const float *a, const float *b, float *c) {
  cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans, (blasint)m,
              (blasint)n, (blasint)p->k, p->alpha, a, (blasint)p->as, b, (blasint)p->bs, p->beta, c, (blasint)p->cs);
}

static void after_block(const struct product *p, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  if (!p->after) return;
  for (int64_t i = row; i < row + rows; ++i)
    dk_after_tile(p->after, p->c + i * p->cs + column, p->cs, i, column, 1, (int)columns);
}

static void product_piece(void *context, size_t begin, size_t end) {
  const struct product *p = context;
  const int64_t from = (int64_t)begin, length = (int64_t)(end - begin);
  if (p->by_rows) {
    // BLAS wants rows that do not overlap; where they do, every so many rows make a matrix.
    const int64_t turns = !p->ta && p->as < p->k ? (p->k + p->as - 1) / p->as : 1;
    struct product turn = *p;
    turn.as *= turns;
    turn.cs *= turns;
    for (int64_t t = 0; t < turns && t < length; ++t)
      multiply(&turn, (length - t + turns - 1) / turns, p->n, p->a + (p->ta ? from : (from + t) * p->as), p->b,
               p->c + (from + t) * p->cs);
    after_block(p, from, length, 0, p->n);
  } else {
    multiply(p, p->m, length, p->a, p->b + (p->tb ? from * p->bs : from), p->c + from);
    after_block(p, 0, p->m, from, length);
  }
}

void dk_matrix_product(int ta, int tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t as,
                       const float *b, int64_t bs, float beta, float *c, int64_t cs, const dk_after *after) {
  if (m == 0 || n == 0) return;
  const int overlap = !ta && as < k && m > 1;
  struct product p = {ta, tb, m >= n || overlap, halves, m, n, k, alpha, beta, a, b, c, as, bs, cs, 0, 0, 0, after};
  if (dk_has_products()) {
    const dk_product own = own_product(&p, a, b, c);
    dk_product_run(&own);
    return;
  }
  int64_t cut = p.by_rows ? m : n, other = p.by_rows ? n : m;
  // Worth a thread: half a million multiply-adds, some 10 µs. Pieces start at multiples of 16, OpenBLAS's tile.
  dk_parallel((size_t)cut, (size_t)(1 + 524288 / (1 + other * (k ? k : 1))), 16, &p, product_piece);
}

static dk_source source_of(dk_operand x, int64_t line, int64_t term) {
  return x.halves ? dk_rounded_source(x.base, line, term) : dk_strided_source(x.base, line, term);
}

// Sums over several blocks of terms grow in memory, as floats.
static void run_with_sums(dk_product *product) {
  if (product->m == 0 || product->n == 0) return;
  if (!product->c && !dk_product_is_one_block(product)) {
    float *sums = dk_scratch_of(dk_scratch_lines, (size_t)(product->m * product->n) * sizeof(float));
    if (!sums) abort();
    (product->c = sums, product->stride = product->n);
  }
  dk_product_run(product);
}

void dk_matrix_product_rounded(int64_t m, int64_t n, int64_t k, dk_operand a, dk_operand b, float *c, int64_t c_stride,
                               const dk_after *after) {
  dk_product product = {
    .m = m, .n = n, .k = k, .alpha = 1, .c = c, .stride = c_stride, .bfloat16 = 1, .after = after,
    .a = source_of(a, a.transposed ? 1 : a.stride, a.transposed ? a.stride : 1),
    .b = source_of(b, b.transposed ? b.stride : 1, b.transposed ? 1 : b.stride)};
  run_with_sums(&product);
}

int dk_has_stacked_products(void) { return dk_has_products(); }

void dk_stacked_product(int transpose_b, int64_t m, int64_t columns, const float *a, int64_t a_stride, int64_t count,
                        int64_t piece, const float *const *pieces, float *c, const dk_after *after) {
  const int64_t rows = count * piece;
  const dk_stack stack = {pieces, piece, columns, transpose_b};
  const dk_product product = {
    .m = m, .n = transpose_b ? rows : columns, .k = transpose_b ? columns : rows, .alpha = 1, .c = c,
    .stride = transpose_b ? rows : columns, .bfloat16 = halves, .after = after, .a = dk_strided_source(a, a_stride, 1),
    .b = dk_stacked_source(&stack)};
  dk_product_run(&product);
}

static dk_product factor_of(int64_t n, int64_t k) { return (dk_product){.n = n, .k = k, .bfloat16 = halves}; }

int64_t dk_factor_size(int64_t n, int64_t k) {
  const dk_product factor = factor_of(n, k);
  return dk_has_products() ? dk_product_packed_size(&factor) : 0;
}

int64_t dk_factor_units(int64_t n, int64_t k) {
  const dk_product factor = factor_of(n, k);
  return dk_product_packed_units(&factor);
}

void dk_pack_factor(int tb, int64_t n, int64_t k, const float *b, int64_t bs, int64_t begin, int64_t end, float *to) {
  dk_product factor = factor_of(n, k);
  factor.b = dk_strided_source(b, tb ? bs : 1, tb ? 1 : bs);
  dk_product_pack(&factor, begin, end, to);
}

void dk_packed_product(int64_t m, int64_t n, int64_t k, dk_operand a, const float *packed, int adds, float *c,
                       int64_t cs, const dk_after *after) {
  dk_product product = {
    .m = m, .n = n, .k = k, .alpha = 1, .add = adds, .c = c, .stride = cs, .bfloat16 = halves || a.halves,
    .after = after, .a = source_of(a, a.transposed ? 1 : a.stride, a.transposed ? a.stride : 1), .packed = packed};
  run_with_sums(&product);
}

void dk_product_here(int halves, int ta, int tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                     int64_t as, const float *b, int64_t bs, float beta, float *c, int64_t cs) {
  if (m == 0 || n == 0) return;
  const struct product p = {ta, tb, 1, halves, m, n, k, alpha, beta, a, b, c, as, bs, cs, 0, 0, 0, 0};
  if (dk_has_products()) {
    const dk_product own = own_product(&p, a, b, c);
    dk_product_run_alone(&own);
  } else {
    multiply(&p, m, n, a, b, c);
  }
}

static void batch_piece(void *context, size_t begin, size_t end) {
  const struct product *p = context;
  for (int64_t i = (int64_t)begin; i < (int64_t)end; i++)
    dk_product_here(p->halves, p->ta, p->tb, p->m, p->n, p->k, p->alpha, p->a + i * p->a_step, p->as,
                    p->b + i * p->b_step, p->bs, p->beta, p->c + i * p->c_step, p->cs);
}

void dk_matrix_product_batch(int64_t batch, int ta, int tb, int64_t m, int64_t n, int64_t k, float alpha,
                             const float *a, int64_t as, int64_t a_step, const float *b, int64_t bs, int64_t b_step,
                             float beta, float *c, int64_t cs, int64_t c_step) {
  if (m == 0 || n == 0) return;
  if (batch == 1) {
    dk_matrix_product(ta, tb, m, n, k, alpha, a, as, b, bs, beta, c, cs, 0);
    return;
  }
  struct product p = {ta, tb, 1, halves, m, n, k, alpha, beta, a, b, c, as, bs, cs, a_step, b_step, c_step, 0};
  dk_parallel((size_t)batch, (size_t)(1 + 524288 / (1 + m * n * (k ? k : 1))), 1, &p, batch_piece);
}
