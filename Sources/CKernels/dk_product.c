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

// As much of B as stays in the third-level cache beside everything else is packed once, for all rows and terms.
enum { resident_words = 3 << 19 };

static int64_t panels_of(int64_t lines, int64_t width) { return (lines + width - 1) / width; }

// Lines 0..<lines cut into panels of nearly equal height, none above 14.
static int64_t cut(int64_t lines, int64_t panels, int64_t panel) { return lines * panel / panels; }

typedef struct {
  const dk_product *p;
  int by_rows;
} job;

// One thread's share: a block of C, and its packed operands.
typedef struct {
  const dk_product *p;
  int64_t row, column, columns;  // columns from `column`
  int64_t terms_a_block, per_word;
  float *a_panels, *b_panels;
} share;

static int64_t words_of(const share *s, int64_t terms) { return panels_of(terms, s->per_word); }

// Packs the columns' panels of one block of terms; returns where the next begins.
static float *pack_columns(const share *s, int64_t k0, int64_t terms, float *to) {
  const dk_product *p = s->p;
  for (int64_t j = 0; j < s->columns; j += dk_tile_width) {
    const int count = s->columns - j < dk_tile_width ? (int)(s->columns - j) : dk_tile_width;
    const int pitch = count > 16 ? 32 : 16;
    p->b.pack(&p->b, s->column + j, count, pitch, k0, terms, p->bfloat16, to);
    to += pitch * words_of(s, terms);
  }
  return to;
}

// A tile whose rows lie anywhere goes through a small block of its own.
static void scattered_tile(
  tile_function tile, int64_t steps, const float *a, const float *b, const dk_product *p, int64_t row, int rows,
  int64_t column, int columns, int add) {
  float block[dk_tile_height * dk_tile_width];
  for (int i = 0; i < rows && add; ++i)
    memcpy(block + i * dk_tile_width, p->c + p->rows[row + i] + column, (size_t)columns * sizeof(float));
  tile(steps, a, b, block, dk_tile_width, columns, add, p->alpha);
  for (int i = 0; i < rows; ++i)
    memcpy(p->c + p->rows[row + i] + column, block + i * dk_tile_width, (size_t)columns * sizeof(float));
}

// Rows i0..<i0 + m of the share, times the columns packed at `from`, over one block of terms.
static void multiply_block(const share *s, int64_t i0, int64_t m, int64_t k0, int64_t terms, const float *from) {
  const dk_product *p = s->p;
  const int64_t steps = words_of(s, terms), panels = panels_of(m, dk_tile_height);
  const tile_function(*tiles)[2] = p->bfloat16 ? tiles_bf16 : tiles_f32;
  const int add = k0 > 0 || p->add, last = k0 + terms >= p->k;
  for (int64_t t = 0; t < panels; ++t) {
    const int64_t begin = cut(m, panels, t);
    const int height = (int)(cut(m, panels, t + 1) - begin);
    p->a.pack(&p->a, s->row + i0 + begin, height, height, k0, terms, p->bfloat16, s->a_panels + begin * steps);
  }
  for (int64_t j = 0; j < s->columns; j += dk_tile_width) {
    const int count = s->columns - j < dk_tile_width ? (int)(s->columns - j) : dk_tile_width;
    const int vectors = count > 16 ? 2 : 1;
    const int64_t column = s->column + j;
    for (int64_t t = 0; t < panels; ++t) {
      const int64_t begin = cut(m, panels, t), row = s->row + i0 + begin;
      const int height = (int)(cut(m, panels, t + 1) - begin);
      const float *a = s->a_panels + begin * steps;
      const tile_function tile = tiles[height - 1][vectors - 1];
      if (p->rows) {
        scattered_tile(tile, steps, a, from, p, row, height, column, count, add);
        continue;
      }
      float *c = p->c + row * p->stride + column;
      tile(steps, a, from, c, p->stride, count, add, p->alpha);
      if (last && p->after) dk_after_tile(p->after, c, p->stride, row, column, height, count);
    }
    from += vectors * 16 * steps;
  }
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void run_part(const dk_product *p, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  share s = {.p = p, .row = row, .per_word = p->bfloat16 ? 2 : 1};
  const int64_t blocks = p->k ? panels_of(p->k, block_words * s.per_word) : 1;
  s.terms_a_block = panels_of(panels_of(p->k, blocks), 32) * 32;
  const int64_t words = words_of(&s, s.terms_a_block), padded = panels_of(columns, dk_tile_width) * dk_tile_width;
  const int resident = padded * words * blocks <= resident_words;
  const int64_t width = least(padded, block_width), height = least(rows, block_height);
  const size_t b_floats = (size_t)(resident ? padded * words * blocks : width * words) + 64;
  const size_t a_floats = (size_t)(height * words) + 64;
  s.b_panels = dk_scratch_of(dk_scratch_panels, (a_floats + b_floats) * sizeof(float));
  if (!s.b_panels) abort();
  s.a_panels = s.b_panels + (b_floats + 15) / 16 * 16 - 16;

  if (resident) {
    (s.column = column, s.columns = columns);
    float *to = s.b_panels;
    for (int64_t k0 = 0; k0 < p->k; k0 += s.terms_a_block)
      to = pack_columns(&s, k0, least(p->k - k0, s.terms_a_block), to);
    for (int64_t i0 = 0; i0 < rows; i0 += block_height) {
      const float *from = s.b_panels;
      for (int64_t k0 = 0; k0 == 0 || k0 < p->k; k0 += s.terms_a_block) {
        const int64_t terms = least(p->k - k0, s.terms_a_block);
        multiply_block(&s, i0, least(rows - i0, block_height), k0, terms, from);
        from += (columns % dk_tile_width > 0 && columns % dk_tile_width <= 16 ? padded - 16 : padded)
          * words_of(&s, terms);
      }
    }
    return;
  }
  for (int64_t j0 = 0; j0 < columns; j0 += block_width) {
    (s.column = column + j0, s.columns = least(columns - j0, block_width));
    for (int64_t k0 = 0; k0 == 0 || k0 < p->k; k0 += s.terms_a_block) {
      const int64_t terms = least(p->k - k0, s.terms_a_block);
      pack_columns(&s, k0, terms, s.b_panels);
      for (int64_t i0 = 0; i0 < rows; i0 += block_height)
        multiply_block(&s, i0, least(rows - i0, block_height), k0, terms, s.b_panels);
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
