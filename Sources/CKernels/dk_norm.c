#include "dk_norm.h"

#include <stdlib.h>
#include <string.h>

#include "dk_elementwise.h"
#include "dk_parallel.h"
#include "dk_rows.h"

enum { row_block = 64 };

struct norm {
  const float *x, *g, *weight, *bias, *statistics_in;
  float epsilon;
  size_t rows, columns, channels, groups, positions;
  float *y, *statistics, *partial, *sums;
};

// Mean, its remainder and 1 / deviation of one row.
DK_INLINE void row_statistics(const float *x, size_t n, float epsilon, float *s) {
  float hi = row_sum(x, n) / (float)n;
  float lo = row_sum_centred(x, hi, n) / (float)n;
  s[0] = hi;
  s[1] = lo;
  s[2] = 1.0f / sqrtf(row_sum_squares(x, hi, lo, n) / (float)n + epsilon);
}

// MARK: Layer norm

DK_CLONES static void layer_norm_rows(struct norm *p, size_t begin, size_t end) {
  size_t n = p->columns;
  for (size_t r = begin; r < end; r++) {
    const float *x = p->x + r * n, *w = p->weight, *b = p->bias;
    float *y = p->y + r * n, *s = p->statistics + 3 * r;
    row_statistics(x, n, p->epsilon, s);
    float hi = s[0], lo = s[1], scale = s[2];
    if (w && b)
      for (size_t c = 0; c < n; c++) y[c] = ((x[c] - hi) - lo) * scale * w[c] + b[c];
    else if (w)
      for (size_t c = 0; c < n; c++) y[c] = ((x[c] - hi) - lo) * scale * w[c];
    else
      for (size_t c = 0; c < n; c++) y[c] = ((x[c] - hi) - lo) * scale + (b ? b[c] : 0.0f);
  }
}

static void layer_norm_piece(void *context, size_t begin, size_t end) { layer_norm_rows(context, begin, end); }

void dk_layer_norm(const float *x, const float *weight, const float *bias, float epsilon, size_t rows, size_t columns,
                   float *y, float *statistics) {
  struct norm p = {.x = x, .weight = weight, .bias = bias, .epsilon = epsilon, .columns = columns, .y = y,
                   .statistics = statistics};
  dk_parallel(rows, 1 + 8192 / (columns ? columns : 1), 1, &p, layer_norm_piece);
}

DK_DEFINE_ROW_SUM(weighted_dot, (const float *g, const float *w, const float *x, float hi, float lo, size_t n),
                  AT(g) * AT(w) * ((AT(x) - hi) - lo))
DK_DEFINE_ROW_SUM(centred_dot, (const float *g, const float *x, float hi, float lo, size_t n),
                  AT(g) * ((AT(x) - hi) - lo))

DK_CLONES static void layer_norm_gradient_block(struct norm *p, size_t block) {
  size_t n = p->columns, first = block * row_block;
  size_t last = first + row_block < p->rows ? first + row_block : p->rows;
  float *dw = p->partial ? p->partial + block * 2 * n : 0, *db = dw ? dw + n : 0;
  if (dw) memset(dw, 0, 2 * n * sizeof(float));
  for (size_t r = first; r < last; r++) {
    const float *x = p->x + r * n, *g = p->g + r * n, *w = p->weight, *s = p->statistics_in + 3 * r;
    float hi = s[0], lo = s[1], scale = s[2];
    if (dw)
      for (size_t c = 0; c < n; c++) {
        dw[c] += g[c] * (((x[c] - hi) - lo) * scale);
        db[c] += g[c];
      }
    if (!p->y) continue;
    float *d = p->y + r * n;
    float a, b;
    if (w) {
      a = row_dot(g, w, n) / (float)n;
      b = weighted_dot(g, w, x, hi, lo, n) * scale * scale / (float)n;
      for (size_t c = 0; c < n; c++) d[c] = (g[c] * w[c] - a - ((x[c] - hi) - lo) * b) * scale;
    } else {
      a = row_sum(g, n) / (float)n;
      b = centred_dot(g, x, hi, lo, n) * scale * scale / (float)n;
      for (size_t c = 0; c < n; c++) d[c] = (g[c] - a - ((x[c] - hi) - lo) * b) * scale;
    }
  }
}

static void layer_norm_gradient_piece(void *context, size_t begin, size_t end) {
  for (size_t block = begin; block < end; block++) layer_norm_gradient_block(context, block);
}

void dk_layer_norm_gradient(const float *x, const float *g, const float *weight, const float *statistics, size_t rows,
                            size_t columns, float *dx, float *dweight, float *dbias) {
  size_t blocks = (rows + row_block - 1) / row_block;
  float *partial = dweight || dbias ? malloc((blocks ? blocks : 1) * 2 * columns * sizeof(float)) : 0;
  struct norm p = {.x = x, .g = g, .weight = weight, .statistics_in = statistics, .rows = rows, .columns = columns,
                   .y = dx, .partial = partial};
  dk_parallel(blocks, 1, 1, &p, layer_norm_gradient_piece);
  if (!partial) return;
  float *both = malloc(2 * columns * sizeof(float));
  dk_sum_rows(partial, both, blocks, 2 * columns);
  if (dweight) memcpy(dweight, both, columns * sizeof(float));
  if (dbias) memcpy(dbias, both + columns, columns * sizeof(float));
  free(both);
  free(partial);
}

// MARK: Group norm

DK_CLONES static void group_norm_rows(struct norm *p, size_t begin, size_t end) {
  size_t width = p->channels / p->groups, n = width * p->positions;
  for (size_t r = begin; r < end; r++) {
    float *s = p->statistics + 3 * r;
    row_statistics(p->x + r * n, n, p->epsilon, s);
    float hi = s[0], lo = s[1];
    for (size_t k = 0; k < width; k++) {
      size_t channel = r % p->groups * width + k;
      const float *x = p->x + r * n + k * p->positions;
      float *y = p->y + r * n + k * p->positions;
      float scale = s[2] * (p->weight ? p->weight[channel] : 1.0f), bias = p->bias ? p->bias[channel] : 0.0f;
      for (size_t i = 0; i < p->positions; i++) y[i] = ((x[i] - hi) - lo) * scale + bias;
    }
  }
}

static void group_norm_piece(void *context, size_t begin, size_t end) { group_norm_rows(context, begin, end); }

void dk_group_norm(const float *x, const float *weight, const float *bias, float epsilon, size_t batch, size_t channels,
                   size_t groups, size_t positions, float *y, float *statistics) {
  struct norm p = {.x = x, .weight = weight, .bias = bias, .epsilon = epsilon, .channels = channels, .groups = groups,
                   .positions = positions, .y = y, .statistics = statistics};
  size_t n = channels / groups * positions;
  dk_parallel(batch * groups, 1 + 8192 / (n ? n : 1), 1, &p, group_norm_piece);
}

// `sums` gets, for every sample and channel, Σ g and Σ g · (x - mean) / deviation.
DK_CLONES static void group_norm_gradient_rows(struct norm *p, size_t begin, size_t end) {
  size_t width = p->channels / p->groups, n = width * p->positions;
  for (size_t r = begin; r < end; r++) {
    const float *s = p->statistics_in + 3 * r;
    float hi = s[0], lo = s[1], scale = s[2], a = 0, b = 0;
    for (size_t k = 0; k < width; k++) {
      size_t channel = r % p->groups * width + k, at = r * width + k;
      const float *x = p->x + at * p->positions, *g = p->g + at * p->positions;
      float w = p->weight ? p->weight[channel] : 1.0f;
      float plain = row_sum(g, p->positions), normal = centred_dot(g, x, hi, lo, p->positions) * scale;
      p->sums[2 * at] = plain;
      p->sums[2 * at + 1] = normal;
      a += w * plain;
      b += w * normal;
    }
    if (!p->y) continue;
    a /= (float)n;
    b = b * scale / (float)n;
    for (size_t k = 0; k < width; k++) {
      size_t channel = r % p->groups * width + k, at = r * width + k;
      const float *x = p->x + at * p->positions, *g = p->g + at * p->positions;
      float *d = p->y + at * p->positions, w = p->weight ? p->weight[channel] : 1.0f;
      for (size_t i = 0; i < p->positions; i++) d[i] = (g[i] * w - a - ((x[i] - hi) - lo) * b) * scale;
    }
  }
}

static void group_norm_gradient_piece(void *context, size_t begin, size_t end) {
  group_norm_gradient_rows(context, begin, end);
}

void dk_group_norm_gradient(const float *x, const float *g, const float *weight, const float *statistics, size_t batch,
                            size_t channels, size_t groups, size_t positions, float *dx, float *dweight, float *dbias) {
  float *sums = malloc((batch * channels ? batch * channels : 1) * 2 * sizeof(float));
  struct norm p = {.x = x, .g = g, .weight = weight, .statistics_in = statistics, .channels = channels,
                   .groups = groups, .positions = positions, .y = dx, .sums = sums};
  size_t n = channels / groups * positions;
  dk_parallel(batch * groups, 1 + 8192 / (n ? n : 1), 1, &p, group_norm_gradient_piece);
  for (size_t c = 0; c < channels; c++) {
    double plain = 0, normal = 0;
    for (size_t b = 0; b < batch; b++) {
      plain += sums[2 * (b * channels + c)];
      normal += sums[2 * (b * channels + c) + 1];
    }
    if (dweight) dweight[c] = (float)normal;
    if (dbias) dbias[c] = (float)plain;
  }
  free(sums);
}
