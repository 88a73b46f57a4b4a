// Group norm over channels-last memory. A sample is one unit of work: sums over fixed blocks of positions, channel by
// channel, joined in float64, so that threads change no bit.
#include "dk_norm.h"
#include "dk_parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { position_block = 64 };

struct work {
  const float *x, *g, *weight, *bias, *statistics_in;
  float epsilon;
  size_t channels, groups, positions;
  float *y, *statistics;
  double *sums;  // of the gradient: for every sample and channel, Σ g and Σ g · (x - mean) / deviation
};

// total[c] += Σ over positions of x, of (x - shift)², of g, or of g (x - shift), in blocks.
#define DEFINE_SUM(name, term)                                                                                       \
  DK_CLONES static void name(                                                                                        \
    const float *x, const float *g, const float *shift, size_t positions, size_t channels, float *partial,           \
    double *total) {                                                                                                 \
    for (size_t first = 0; first < positions; first += position_block) {                                             \
      const size_t last = first + position_block < positions ? first + position_block : positions;                   \
      memset(partial, 0, channels * sizeof(float));                                                                  \
      for (size_t p = first; p < last; ++p) {                                                                        \
        const float *v = x + p * channels, *d = g + p * channels;                                                    \
        (void)v;                                                                                                     \
        (void)d;                                                                                                     \
        for (size_t c = 0; c < channels; ++c) partial[c] += (term);                                                  \
      }                                                                                                              \
      for (size_t c = 0; c < channels; ++c) total[c] += (double)partial[c];                                          \
    }                                                                                                                \
  }
DEFINE_SUM(sum_values, v[c])
DEFINE_SUM(sum_squares, (v[c] - shift[c]) * (v[c] - shift[c]))
DEFINE_SUM(sum_gradients, d[c])
DEFINE_SUM(sum_products, d[c] * (v[c] - shift[c]))

DK_CLONES static void scale_and_shift(
  const float *x, const float *mean, const float *scale, const float *bias, size_t positions, size_t channels,
  float *y) {
  for (size_t p = 0; p < positions; ++p)
    for (size_t c = 0; c < channels; ++c)
      y[p * channels + c] = (x[p * channels + c] - mean[c]) * scale[c] + bias[c];
}

DK_CLONES static void input_gradient(
  const float *x, const float *g, const float *mean, const float *scale, const float *offset, const float *slope,
  size_t positions, size_t channels, float *d) {
  for (size_t p = 0; p < positions; ++p)
    for (size_t c = 0; c < channels; ++c) {
      const size_t at = p * channels + c;
      d[at] = g[at] * scale[c] - offset[c] - (x[at] - mean[c]) * slope[c];
    }
}

// Mean over a group of what channels have.
static double group_sum(const double *values, size_t first, size_t width) {
  double sum = 0;
  for (size_t c = first; c < first + width; ++c) sum += values[c];
  return sum;
}

static void forward_samples(void *context, size_t begin, size_t end) {
  struct work *w = context;
  const size_t C = w->channels, width = C / w->groups, count = width * w->positions;
  double *total = malloc(C * sizeof(double));
  float *partial = malloc(4 * C * sizeof(float)), *mean = partial + C, *scale = mean + C, *bias = scale + C;
  if (!total || !partial) abort();
  for (size_t n = begin; n < end; ++n) {
    const float *x = w->x + n * w->positions * C;
    memset(total, 0, C * sizeof(double));
    sum_values(x, x, 0, w->positions, C, partial, total);
    for (size_t g = 0; g < w->groups; ++g) {
      float *s = w->statistics + 3 * (n * w->groups + g);
      const double exact = group_sum(total, g * width, width) / (double)count;
      s[0] = (float)exact;
      s[1] = (float)(exact - (double)s[0]);
      for (size_t k = 0; k < width; ++k) mean[g * width + k] = s[0];
    }
    memset(total, 0, C * sizeof(double));
    sum_squares(x, x, mean, w->positions, C, partial, total);
    for (size_t g = 0; g < w->groups; ++g) {
      float *s = w->statistics + 3 * (n * w->groups + g);
      // Squares were taken around the rounded mean; the exact one is `s[1]` away.
      const double variance = group_sum(total, g * width, width) / (double)count - (double)s[1] * (double)s[1];
      s[2] = (float)(1.0 / sqrt((variance > 0 ? variance : 0) + (double)w->epsilon));
      for (size_t c = g * width; c < (g + 1) * width; ++c) {
        scale[c] = s[2] * (w->weight ? w->weight[c] : 1.0f);
        bias[c] = (w->bias ? w->bias[c] : 0.0f) - s[1] * scale[c];
      }
    }
    scale_and_shift(x, mean, scale, bias, w->positions, C, w->y + n * w->positions * C);
  }
  free(total);
  free(partial);
}

void dk_group_norm_last(const float *x, const float *weight, const float *bias, float epsilon, size_t batch,
                        size_t channels, size_t groups, size_t positions, float *y, float *statistics) {
  struct work w = {.x = x, .weight = weight, .bias = bias, .epsilon = epsilon, .channels = channels,
                   .groups = groups, .positions = positions, .y = y, .statistics = statistics};
  dk_parallel(batch, 1, 1, &w, forward_samples);
}

static void gradient_samples(void *context, size_t begin, size_t end) {
  struct work *w = context;
  const size_t C = w->channels, width = C / w->groups, count = width * w->positions;
  float *partial = malloc(5 * C * sizeof(float)), *mean = partial + C, *scale = mean + C, *offset = scale + C,
        *slope = offset + C;
  if (!partial) abort();
  for (size_t n = begin; n < end; ++n) {
    const float *x = w->x + n * w->positions * C, *g = w->g + n * w->positions * C;
    double *plain = w->sums + 2 * n * C, *normal = plain + C;
    memset(plain, 0, 2 * C * sizeof(double));
    for (size_t c = 0; c < C; ++c) mean[c] = w->statistics_in[3 * (n * w->groups + c / width)];
    sum_gradients(x, g, 0, w->positions, C, partial, plain);
    sum_products(x, g, mean, w->positions, C, partial, normal);
    for (size_t group = 0; group < w->groups; ++group) {
      const float *s = w->statistics_in + 3 * (n * w->groups + group);
      double a = 0, b = 0;
      for (size_t c = group * width; c < (group + 1) * width; ++c) {
        normal[c] = (normal[c] - (double)s[1] * plain[c]) * (double)s[2];
        const double weight = w->weight ? (double)w->weight[c] : 1.0;
        a += weight * plain[c];
        b += weight * normal[c];
      }
      a /= (double)count;
      b = b * (double)s[2] / (double)count;
      for (size_t c = group * width; c < (group + 1) * width; ++c) {
        scale[c] = (w->weight ? w->weight[c] : 1.0f) * s[2];
        slope[c] = (float)(b * (double)s[2]);
        offset[c] = (float)(a * (double)s[2]) - s[1] * slope[c];
      }
    }
    if (w->y) input_gradient(x, g, mean, scale, offset, slope, w->positions, C, w->y + n * w->positions * C);
  }
  free(partial);
}

void dk_group_norm_last_gradient(const float *x, const float *g, const float *weight, const float *statistics,
                                 size_t batch, size_t channels, size_t groups, size_t positions, float *dx,
                                 float *dweight, float *dbias) {
  double *sums = malloc((batch * channels ? batch * channels : 1) * 2 * sizeof(double));
  if (!sums) abort();
  struct work w = {.x = x, .g = g, .weight = weight, .statistics_in = statistics, .channels = channels,
                   .groups = groups, .positions = positions, .y = dx, .sums = sums};
  dk_parallel(batch, 1, 1, &w, gradient_samples);
  for (size_t c = 0; c < channels; c++) {
    double plain = 0, normal = 0;
    for (size_t b = 0; b < batch; b++) {
      plain += sums[2 * b * channels + c];
      normal += sums[(2 * b + 1) * channels + c];
    }
    if (dweight) dweight[c] = (float)normal;
    if (dbias) dbias[c] = (float)plain;
  }
  free(sums);
}
