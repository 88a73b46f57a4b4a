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

// As much of B as threads that share rows among them pack together, once for all.
enum { shared_words = 1 << 22 };

static int64_t panels_of(int64_t lines, int64_t width) { return (lines + width - 1) / width; }

// Lines 0..<lines cut into panels of nearly equal height, none above 14.
static int64_t cut(int64_t lines, int64_t panels, int64_t panel) { return lines * panel / panels; }

typedef struct {
  const dk_product *p;
  int by_rows;
  int64_t first;        // the first unit to be packed
  float *shared;        // B's panels, block of terms by block of terms; null where every thread packs its own
  const float *packed;  // the same, where they were packed before the product
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

// Asks for what a tile will read and write when its sums are made: rows lie too far apart for the processor to guess.
static void expect_rows(const char *base, int64_t at, int64_t stride, int64_t size, int rows, int columns, int writes) {
  for (int i = 0; i < rows; ++i) {
    const char *line = base + (at + i * stride) * size, *end = line + columns * size - 1;
    for (; line < end; line += 64) writes ? __builtin_prefetch(line, 1) : __builtin_prefetch(line);
    writes ? __builtin_prefetch(end, 1) : __builtin_prefetch(end);
  }
}

static void expect_tile(const dk_product *p, int64_t row, int64_t column, int rows, int columns, int finishes) {
  if (p->c) expect_rows((const char *)p->c, row * p->stride + column, p->stride, 4, rows, columns, 1);
  const dk_after *a = p->after;
  if (!a || !finishes) return;
  const int64_t at = row * a->stride + column, size = a->halves ? 2 : 4;
  if (a->factors) expect_rows(a->factors, at, a->stride, size, rows, columns, 0);
  if (a->residual) expect_rows((const char *)a->residual, at, a->stride, 4, rows, columns, 0);
  if (a->slopes) expect_rows(a->slopes, at, a->stride, size, rows, columns, 1);
  if (a->rounded) expect_rows((const char *)a->rounded, at, a->stride, 2, rows, columns, 1);
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
      expect_tile(p, row, column, height, count, last);
      if (!p->c) {
        float block[dk_tile_height * dk_tile_width];
        tile(steps, a, from, block, dk_tile_width, count, 0, p->alpha);
        dk_after_tile(p->after, block, dk_tile_width, row, column, height, count);
        continue;
      }
      float *c = p->c + row * p->stride + column;
      tile(steps, a, from, c, p->stride, count, add, p->alpha);
      if (last && p->after) dk_after_tile(p->after, c, p->stride, row, column, height, count);
    }
    from += vectors * 16 * steps;
  }
}

static int64_t block_count(const dk_product *p) {
  return p->k ? panels_of(p->k, block_words * (p->bfloat16 ? 2 : 1)) : 1;
}

int dk_product_is_one_block(const dk_product *p) { return block_count(p) == 1; }

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Words that columns take, padded to whole vectors.
static int64_t padded_columns(int64_t columns) { return panels_of(columns, 16) * 16; }

static int64_t terms_a_block(const dk_product *p) {
  return panels_of(panels_of(p->k ? p->k : 1, block_count(p)), 32) * 32;
}

// All rows of a share times all of its columns. At `panels` are those of `all` columns, of which the share's begin at
// `skipped`.
static void multiply_packed(share *s, int64_t rows, const float *panels, int64_t all, int64_t skipped) {
  const dk_product *p = s->p;
  for (int64_t i0 = 0; i0 < rows; i0 += block_height) {
    for (int64_t k0 = 0; k0 == 0 || k0 < p->k; k0 += s->terms_a_block) {
      const int64_t terms = least(p->k - k0, s->terms_a_block);
      // Blocks before this one are whole.
      const float *from = panels + all * words_of(s, k0) + skipped * words_of(s, terms);
      multiply_block(s, i0, least(rows - i0, block_height), k0, terms, from);
    }
  }
}

static void run_part(
  const dk_product *p, int64_t row, int64_t rows, int64_t column, int64_t columns, const float *shared) {
  share s = {.p = p, .row = row, .per_word = p->bfloat16 ? 2 : 1, .terms_a_block = terms_a_block(p)};
  const int64_t words = words_of(&s, s.terms_a_block), padded = panels_of(columns, dk_tile_width) * dk_tile_width;
  const int resident = padded * words * block_count(p) <= resident_words;
  const int64_t width = least(padded, block_width), height = least(rows, block_height);
  const size_t b_floats = shared ? 16 : (size_t)(resident ? padded * words * block_count(p) : width * words) + 64;
  const size_t a_floats = (size_t)(height * words) + 64;
  s.b_panels = dk_scratch_of(dk_scratch_panels, (a_floats + b_floats) * sizeof(float));
  if (!s.b_panels) abort();
  s.a_panels = s.b_panels + (b_floats + 15) / 16 * 16 - 16;
  (s.column = column, s.columns = columns);
  if (shared) {
    multiply_packed(&s, rows, shared, padded_columns(p->n), column);
    return;
  }
  if (resident) {
    float *to = s.b_panels;
    for (int64_t k0 = 0; k0 < p->k; k0 += s.terms_a_block)
      to = pack_columns(&s, k0, least(p->k - k0, s.terms_a_block), to);
    multiply_packed(&s, rows, s.b_panels, padded_columns(columns), 0);
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
    run_part(j->p, from, count, 0, j->p->n, j->packed ? j->packed : j->shared);
  else
    run_part(j->p, 0, j->p->m, from, count, j->packed);
}

// Units are panels of columns, of every block of terms.
static void pack_piece(void *context, size_t begin, size_t end) {
  const job *j = context;
  const dk_product *p = j->p;
  share s = {.p = p, .per_word = p->bfloat16 ? 2 : 1, .terms_a_block = terms_a_block(p)};
  const int64_t panels = panels_of(p->n, dk_tile_width), all = padded_columns(p->n);
  for (int64_t unit = j->first + (int64_t)begin; unit < j->first + (int64_t)end; ++unit) {
    const int64_t k0 = unit / panels * s.terms_a_block, terms = least(p->k - k0, s.terms_a_block);
    s.column = unit % panels * dk_tile_width;
    s.columns = least(p->n - s.column, dk_tile_width);
    pack_columns(&s, k0, terms, j->shared + all * words_of(&s, k0) + s.column * words_of(&s, terms));
  }
}

void dk_product_run_alone(const dk_product *p) {
  if (p->m > 0 && p->n > 0) run_part(p, 0, p->m, 0, p->n, 0);
}

static int64_t packed_words(const dk_product *p) {
  return padded_columns(p->n) * panels_of(p->k, p->bfloat16 ? 2 : 1);
}

int64_t dk_product_packed_size(const dk_product *p) { return packed_words(p) + 64; }

int64_t dk_product_packed_units(const dk_product *p) { return panels_of(p->n, dk_tile_width) * block_count(p); }

static void pack_units(job *j, int64_t begin, int64_t end) {
  j->first = begin;
  dk_parallel((size_t)(end - begin), 4, 1, j, pack_piece);
}

void dk_product_pack(const dk_product *p, int64_t begin, int64_t end, float *to) {
  job j = {.p = p, .shared = to};
  if (end > begin && p->k > 0) pack_units(&j, begin, end);
}

void dk_product_run(const dk_product *p) {
  if (p->m == 0 || p->n == 0) return;
  job j = {.p = p, .packed = p->packed};
  const int64_t words = packed_words(p);
  const int64_t threads = dk_threads(), rows_a_thread = p->m / threads;
  // Rows enough for tiles of nearly full height: both threads' packing goes into one B.
  if (p->packed) {
    j.by_rows = p->m >= 14 * threads;
  } else if (threads > 1 && rows_a_thread >= 96 && words <= shared_words && p->k > 0 && p->m * p->n * p->k >= 4 << 20) {
    j.by_rows = 1;
    j.shared = dk_scratch_of(dk_scratch_shared, (size_t)(words + 64) * sizeof(float));
    if (!j.shared) abort();
    pack_units(&j, 0, dk_product_packed_units(p));
  } else {
    // Every thread packs all of the operand that is not cut.
    const int64_t a_again = p->m * p->a.bytes_of_work, b_again = p->n * p->b.bytes_of_work;
    j.by_rows = p->n < 64 || (b_again < a_again && p->m >= 28);
  }
  const int64_t lines = j.by_rows ? p->m : p->n, other = j.by_rows ? p->n : p->m;
  // Worth a thread: half a million multiply-adds, some 10 µs.
  dk_parallel(
    (size_t)lines, (size_t)(1 + 524288 / (1 + other * (p->k ? p->k : 1))), j.by_rows ? 1 : 32, &j, run_piece);
}
#else
int dk_has_products(void) { return 0; }
int dk_has_bfloat16_products(void) { return 0; }
int dk_product_is_one_block(const dk_product *p) { return p->k == 0; }
int64_t dk_product_packed_size(const dk_product *p) { return (void)p, 0; }
int64_t dk_product_packed_units(const dk_product *p) { return (void)p, 0; }
void dk_product_pack(const dk_product *p, int64_t begin, int64_t end, float *to) {
  (void)p, (void)begin, (void)end, (void)to;
}
void dk_product_run(const dk_product *p) { (void)p; abort(); }
void dk_product_run_alone(const dk_product *p) { (void)p; abort(); }
#endif
