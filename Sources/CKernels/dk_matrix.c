#include "dk_matrix.h"

#include <cblas.h>

#include "dk_parallel.h"

// OpenBLAS's own pool stays at one thread: our callers are threads of OpenMP's pool already, and its count would be one
// setting for the whole process.
__attribute__((constructor)) static void pin_openblas(void) { openblas_set_num_threads(1); }

struct product {
  int ta, tb, by_rows;
  int64_t m, n, k;
  float alpha, beta;
  const float *a, *b;
  float *c;
  int64_t as, bs, cs, a_step, b_step, c_step;
};

static void multiply(const struct product *p, int64_t m, int64_t n, const float *a, const float *b, float *c) {
  cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans, (blasint)m,
              (blasint)n, (blasint)p->k, p->alpha, a, (blasint)p->as, b, (blasint)p->bs, p->beta, c, (blasint)p->cs);
}

static void product_piece(void *context, size_t begin, size_t end) {
  const struct product *p = context;
  int64_t from = (int64_t)begin, length = (int64_t)(end - begin);
  if (p->by_rows)
    multiply(p, length, p->n, p->a + (p->ta ? from : from * p->as), p->b, p->c + from * p->cs);
  else
    multiply(p, p->m, length, p->a, p->b + (p->tb ? from * p->bs : from), p->c + from);
}

void dk_matrix_product(int ta, int tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t as,
                       const float *b, int64_t bs, float beta, float *c, int64_t cs) {
  if (m == 0 || n == 0) return;
  struct product p = {ta, tb, m >= n, m, n, k, alpha, beta, a, b, c, as, bs, cs, 0, 0, 0};
  int64_t cut = p.by_rows ? m : n, other = p.by_rows ? n : m;
  // Worth a thread: half a million multiply-adds, some 10 µs. Pieces start at multiples of 16, OpenBLAS's tile.
  dk_parallel((size_t)cut, (size_t)(1 + 524288 / (1 + other * (k ? k : 1))), 16, &p, product_piece);
}

static void batch_piece(void *context, size_t begin, size_t end) {
  const struct product *p = context;
  for (int64_t i = (int64_t)begin; i < (int64_t)end; i++)
    multiply(p, p->m, p->n, p->a + i * p->a_step, p->b + i * p->b_step, p->c + i * p->c_step);
}

void dk_matrix_product_batch(int64_t batch, int ta, int tb, int64_t m, int64_t n, int64_t k, float alpha,
                             const float *a, int64_t as, int64_t a_step, const float *b, int64_t bs, int64_t b_step,
                             float beta, float *c, int64_t cs, int64_t c_step) {
  if (m == 0 || n == 0) return;
  struct product p = {ta, tb, 1, m, n, k, alpha, beta, a, b, c, as, bs, cs, a_step, b_step, c_step};
  if (batch == 1) {
    dk_matrix_product(ta, tb, m, n, k, alpha, a, as, b, bs, beta, c, cs);
    return;
  }
  dk_parallel((size_t)batch, (size_t)(1 + 524288 / (1 + m * n * (k ? k : 1))), 1, &p, batch_piece);
}
