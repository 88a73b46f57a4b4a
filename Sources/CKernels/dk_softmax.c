#include "dk_softmax.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "dk_parallel.h"
#include "dk_rows.h"

struct rows {
  const float *x, *g;
  float *y;
  size_t columns;
};

DK_INLINE float exponentials(const float *x, float *y, float shift, size_t n) {
  for (size_t c = 0; c < n; c++) y[c] = dk_expf(x[c] - shift);
  return row_sum(y, n);
}

DK_CLONES static void softmax_rows(struct rows *p, size_t begin, size_t end) {
  for (size_t r = begin; r < end; r++) {
    const float *x = p->x + r * p->columns;
    float *y = p->y + r * p->columns;
    float total = exponentials(x, y, row_maximum(x, p->columns), p->columns), scale = 1.0f / total;
    for (size_t c = 0; c < p->columns; c++) y[c] *= scale;
  }
}

DK_CLONES static void log_softmax_rows(struct rows *p, size_t begin, size_t end) {
  for (size_t r = begin; r < end; r++) {
    const float *x = p->x + r * p->columns;
    float *y = p->y + r * p->columns;
    float shift = row_maximum(x, p->columns), total = logf(exponentials(x, y, shift, p->columns));
    for (size_t c = 0; c < p->columns; c++) y[c] = (x[c] - shift) - total;
  }
}

DK_CLONES static void softmax_gradient_rows(struct rows *p, size_t begin, size_t end) {
  for (size_t r = begin; r < end; r++) {
    const float *y = p->x + r * p->columns, *g = p->g + r * p->columns;
    float *d = p->y + r * p->columns, dot = row_dot(y, g, p->columns);
    for (size_t c = 0; c < p->columns; c++) d[c] = y[c] * (g[c] - dot);
  }
}

DK_CLONES static void log_softmax_gradient_rows(struct rows *p, size_t begin, size_t end) {
  for (size_t r = begin; r < end; r++) {
    const float *y = p->x + r * p->columns, *g = p->g + r * p->columns;
    float *d = p->y + r * p->columns, total = row_sum(g, p->columns);
    for (size_t c = 0; c < p->columns; c++) d[c] = g[c] - dk_expf(y[c]) * total;
  }
}

#define DEFINE_PIECE(name) \
  static void name##_piece(void *context, size_t begin, size_t end) { name##_rows(context, begin, end); }
DEFINE_PIECE(softmax)
DEFINE_PIECE(log_softmax)
DEFINE_PIECE(softmax_gradient)
DEFINE_PIECE(log_softmax_gradient)

static void each_row(const float *x, const float *g, float *y, size_t rows, size_t columns, dk_body body) {
  struct rows p = {x, g, y, columns};
  if (columns) dk_parallel(rows, 1 + 4096 / columns, 1, &p, body);
}

void dk_softmax(const float *x, float *y, size_t rows, size_t columns) {
  each_row(x, 0, y, rows, columns, softmax_piece);
}
void dk_log_softmax(const float *x, float *y, size_t rows, size_t columns) {
  each_row(x, 0, y, rows, columns, log_softmax_piece);
}
void dk_softmax_gradient(const float *y, const float *g, float *d, size_t rows, size_t columns) {
  each_row(y, g, d, rows, columns, softmax_gradient_piece);
}
void dk_log_softmax_gradient(const float *y, const float *g, float *d, size_t rows, size_t columns) {
  each_row(y, g, d, rows, columns, log_softmax_gradient_piece);
}
