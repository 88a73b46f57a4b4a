#include "dk_product.h"

#include <stdlib.h>
#include <string.h>

#include "dk_after.h"
#include "dk_parallel.h"
#include "dnnl_engine.h"

#if defined(__x86_64__)
#include <immintrin.h>

typedef void (*tile_function)(
  int64_t steps, const float *a, const float *b, float *c, int64_t stride, int columns, int add, float alpha);

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)
#define NAME(name) name##_f32
#define DOT(sum, a, b) _mm512_fmadd_ps(a, b, sum)
#include "dk_product_tile.h"
#undef NAME
#undef DOT
#pragma clang attribute pop

#pragma clang attribute push(                                                              \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"))), apply_to = function)
#define NAME(name) name##_bf16
#define DOT(sum, a, b) _mm512_dpbf16_ps(sum, (__m512bh)(a), (__m512bh)(b))
#include "dk_product_tile.h"
#undef NAME
#undef DOT
#pragma clang attribute pop

int dk_has_products(void) {
  static int has = -1;
  if (has < 0)
    has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
      && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return has;
}

int dk_has_bfloat16_products(void) {
  static int has = -1;
  if (has < 0) has = dk_has_products() && __builtin_cpu_supports("avx512bf16");
  return has;
}

// Terms of the sum a block: a panel of A (14 lines) and one of B (32) then stay near the core, and a block of A (336
// lines) in the second-level cache. Sums are cut the same way whatever the thread count.
enum { block_words = 384, block_height = 336, block_width = 4096 };

static int64_t panels_of(int64_t lines, int64_t width) { return (lines + width - 1) / width; }

// Lines 0..<lines cut into panels of nearly equal height, none above 14.
static int64_t cut(int64_t lines, int64_t panels, int64_t panel) { return lines * panel / panels; }

typedef struct {
  const dk_product *p;
  int by_rows;
} job;

static void run_part(const dk_product *p, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const int64_t per_word = p->bfloat16 ? 2 : 1, most = block_words * per_word;
  const int64_t blocks = p->k ? panels_of(p->k, most) : 1;
  const int64_t terms_a_block = (panels_of(p->k, blocks) + 31) / 32 * 32;
  const int64_t words = panels_of(terms_a_block, per_word);
  const int64_t width = columns < block_width ? columns : block_width;
  const int64_t height = rows < block_height ? rows : block_height;
  const size_t b_floats = (size_t)(panels_of(width, dk_tile_width) * dk_tile_width * words + 64);
  const size_t a_floats = (size_t)(height * words + 64);
  float *b_panels = dk_scratch_of(dk_scratch_panels, (a_floats + b_floats) * sizeof(float));
  if (!b_panels) abort();
  float *a_panels = b_panels + (b_floats + 15) / 16 * 16;
  const tile_function(*tiles)[2] = p->bfloat16 ? tiles_bf16 : tiles_f32;

  for (int64_t j0 = 0; j0 < columns; j0 += block_width) {
    const int64_t n = columns - j0 < block_width ? columns - j0 : block_width;
    for (int64_t k0 = 0; k0 == 0 || k0 < p->k; k0 += terms_a_block) {
      const int64_t terms = p->k - k0 < terms_a_block ? p->k - k0 : terms_a_block;
      const int64_t steps = panels_of(terms, per_word);
      const int first = k0 == 0, last = k0 + terms >= p->k;
      float *to = b_panels;
      for (int64_t j = 0; j < n; j += dk_tile_width) {
        const int count = n - j < dk_tile_width ? (int)(n - j) : dk_tile_width;
        const int pitch = count > 16 ? 32 : 16;
        p->b.pack(&p->b, column + j0 + j, count, pitch, k0, terms, p->bfloat16, to);
        to += pitch * steps;
      }
      for (int64_t i0 = 0; i0 < rows; i0 += block_height) {
        const int64_t m = rows - i0 < block_height ? rows - i0 : block_height;
        const int64_t panels = panels_of(m, dk_tile_height);
        for (int64_t t = 0; t < panels; ++t) {
          const int64_t begin = cut(m, panels, t), end = cut(m, panels, t + 1);
          p->a.pack(
            &p->a, row + i0 + begin, (int)(end - begin), (int)(end - begin), k0, terms, p->bfloat16,
            a_panels + begin * steps);
        }
        const float *from = b_panels;
        for (int64_t j = 0; j < n; j += dk_tile_width) {
          const int count = n - j < dk_tile_width ? (int)(n - j) : dk_tile_width;
          const int vectors = count > 16 ? 2 : 1;
          for (int64_t t = 0; t < panels; ++t) {
            const int64_t begin = cut(m, panels, t), end = cut(m, panels, t + 1);
            const int64_t i = row + i0 + begin, at = column + j0 + j;
            float *c = p->c + i * p->stride + at;
            tiles[end - begin - 1][vectors - 1](
              steps, a_panels + begin * steps, from, c, p->stride, count, !first || p->add, p->alpha);
            if (last && p->after) dk_after_tile(p->after, c, p->stride, i, at, (int)(end - begin), count);
          }
          from += vectors * 16 * steps;
        }
      }
    }
  }
}

static void run_piece(void *context, size_t begin, size_t end) {
  const job *j = context;
  const int64_t from = (int64_t)begin, count = (int64_t)(end - begin);
  if (j->by_rows)
    run_part(j->p, from, count, 0, j->p->n);
  else
    run_part(j->p, 0, j->p->m, from, count);
}

void dk_product_run_alone(const dk_product *p) {
  if (p->m > 0 && p->n > 0) run_part(p, 0, p->m, 0, p->n);
}

void dk_product_run(const dk_product *p) {
  if (p->m == 0 || p->n == 0) return;
  // Every thread packs all of the operand that is not cut.
  const int64_t a_again = p->m * p->a.bytes_of_work, b_again = p->n * p->b.bytes_of_work;
  job j = {p, p->n < 64 || (b_again < a_again && p->m >= 28)};
  const int64_t lines = j.by_rows ? p->m : p->n, other = j.by_rows ? p->n : p->m;
  // Worth a thread: half a million multiply-adds, some 10 µs.
  dk_parallel(
    (size_t)lines, (size_t)(1 + 524288 / (1 + other * (p->k ? p->k : 1))), j.by_rows ? 1 : 32, &j, run_piece);
}
#else
int dk_has_products(void) { return 0; }
int dk_has_bfloat16_products(void) { return 0; }
void dk_product_run(const dk_product *p) { (void)p; abort(); }
void dk_product_run_alone(const dk_product *p) { (void)p; abort(); }
#endif
