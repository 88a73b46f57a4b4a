// Reductions in an order that depends on the length alone.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dk_elementwise.h"
#include "dk_parallel.h"

enum { block = 4096, lanes = 16 };

// One block: `lanes` float accumulators, added pairwise, so that the order is the same for every vector width.
#define DEFINE_BLOCK(name, term)                                             \
  DK_CLONES static double name(const float *x, size_t count) {               \
    float sums[lanes] = {0};                                                 \
    size_t i = 0;                                                            \
    for (; i + lanes <= count; i += lanes)                                   \
      for (int l = 0; l < lanes; l++) {                                      \
        float v = x[i + (size_t)l];                                          \
        sums[l] += (term);                                                   \
      }                                                                      \
    for (int l = 0; i < count; i++, l++) {                                   \
      float v = x[i];                                                        \
      sums[l] += (term);                                                     \
    }                                                                        \
    double pair[lanes];                                                      \
    for (int l = 0; l < lanes; l++) pair[l] = sums[l];                       \
    for (int step = lanes / 2; step > 0; step /= 2)                          \
      for (int l = 0; l < step; l++) pair[l] += pair[l + step];              \
    return pair[0];                                                          \
  }

DEFINE_BLOCK(sum_block, v)
DEFINE_BLOCK(square_block, v *v)

struct reduction {
  const float *x;
  size_t count;
  double (*kernel)(const float *, size_t);
  double *partial;
};

static void reduce_piece(void *context, size_t begin, size_t end) {
  struct reduction *r = context;
  for (size_t b = begin; b < end; b++) {
    size_t from = b * block, length = r->count - from < block ? r->count - from : block;
    r->partial[b] = r->kernel(r->x + from, length);
  }
}

static double reduce(const float *x, size_t count, double (*kernel)(const float *, size_t)) {
  size_t blocks = (count + block - 1) / block;
  if (blocks <= 1) return kernel(x, count);
  double few[64], *partial = blocks <= 64 ? few : malloc(blocks * sizeof(double));
  struct reduction r = {x, count, kernel, partial};
  dk_parallel(blocks, 8, 1, &r, reduce_piece);
  double total = 0;
  for (size_t b = 0; b < blocks; b++) total += partial[b];
  if (partial != few) free(partial);
  return total;
}

double dk_sum(const float *x, size_t count) { return reduce(x, count, sum_block); }
double dk_sum_of_squares(const float *x, size_t count) { return reduce(x, count, square_block); }

DK_CLONES float dk_maximum_magnitude(const float *x, size_t count) {
  float largest = 0;
  int unordered = 0;
  for (size_t i = 0; i < count; i++) {
    float v = fabsf(x[i]);
    unordered |= v != v;
    largest = v > largest ? v : largest;
  }
  return unordered ? NAN : largest;
}

DK_CLONES int dk_all_finite(const float *x, size_t count) {
  int bad = 0;
  for (size_t i = 0; i < count; i++) bad |= !(fabsf(x[i]) <= 3.4028234664e38f);
  return !bad;
}

DK_CLONES static void add_row(const float *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] += x[i];
}

// Rows are added in blocks of 32, blocks one after the other: short chains keep float32's error small, and threads
// take columns, so that their number changes nothing.
struct rows {
  const void *x;  // floats, or bfloat16 numbers
  float *y;
  size_t rows, columns;
  int halves;
};

DK_CLONES static void add_rounded_row(const uint16_t *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = (uint32_t)x[i] << 16;
    float value;
    memcpy(&value, &bits, 4);
    y[i] += value;
  }
}

static void sum_rows_piece(void *context, size_t begin, size_t end) {
  struct rows *p = context;
  enum { width = 256, height = 32 };
  float inner[width];
  for (size_t c0 = begin; c0 < end; c0 += width) {
    size_t n = end - c0 < width ? end - c0 : width;
    for (size_t c = 0; c < n; c++) p->y[c0 + c] = 0;
    for (size_t r0 = 0; r0 < p->rows; r0 += height) {
      size_t r1 = r0 + height < p->rows ? r0 + height : p->rows;
      for (size_t c = 0; c < n; c++) inner[c] = 0;
      for (size_t r = r0; r < r1; r++) {
        size_t at = r * p->columns + c0;
        if (p->halves)
          add_rounded_row((const uint16_t *)p->x + at, inner, n);
        else
          add_row((const float *)p->x + at, inner, n);
      }
      add_row(inner, p->y + c0, n);
    }
  }
}

void dk_sum_rows(const float *x, float *y, size_t rows, size_t columns) {
  struct rows p = {x, y, rows, columns, 0};
  dk_parallel(columns, 1 + 32768 / (rows ? rows : 1), 16, &p, sum_rows_piece);
}

void dk_sum_rounded_rows(const uint16_t *x, float *y, size_t rows, size_t columns) {
  struct rows p = {x, y, rows, columns, 1};
  dk_parallel(columns, 1 + 32768 / (rows ? rows : 1), 16, &p, sum_rows_piece);
}

static void sum_columns_piece(void *context, size_t begin, size_t end) {
  struct rows *p = context;
  for (size_t r = begin; r < end; r++) p->y[r] = (float)reduce((const float *)p->x + r * p->columns, p->columns, sum_block);
}

void dk_sum_columns(const float *x, float *y, size_t rows, size_t columns) {
  struct rows p = {x, y, rows, columns, 0};
  dk_parallel(rows, 1 + 16384 / (columns ? columns : 1), 1, &p, sum_columns_piece);
}
