#pragma once
#include <stddef.h>

#include "dk_math.h"

// Sums over one row: sixteen accumulators added pairwise, so that the order is the same for every vector width, and
// float32 chains stay short.
enum { dk_lanes = 16 };

#define DK_DEFINE_ROW_SUM(name, parameters, term)                        \
  DK_INLINE float name parameters {                                      \
    float sums[dk_lanes] = {0};                                          \
    size_t i = 0;                                                        \
    for (; i + dk_lanes <= n; i += dk_lanes)                             \
      for (size_t l = 0; l < dk_lanes; l++) {                            \
        size_t j = i + l;                                                \
        sums[l] += (term);                                               \
      }                                                                  \
    for (size_t l = 0; i + l < n; l++) {                                 \
      size_t j = i + l;                                                  \
      sums[l] += (term);                                                 \
    }                                                                    \
    for (size_t step = dk_lanes / 2; step > 0; step /= 2)                \
      for (size_t l = 0; l < step; l++) sums[l] += sums[l + step];       \
    return sums[0];                                                      \
  }

DK_DEFINE_ROW_SUM(row_sum, (const float *x, size_t n), x[j])
DK_DEFINE_ROW_SUM(row_sum_centred, (const float *x, float hi, size_t n), x[j] - hi)
DK_DEFINE_ROW_SUM(row_sum_squares, (const float *x, float hi, float lo, size_t n),
                  ((x[j] - hi) - lo) * ((x[j] - hi) - lo))
DK_DEFINE_ROW_SUM(row_dot, (const float *a, const float *b, size_t n), a[j] * b[j])

DK_INLINE float row_maximum(const float *x, size_t n) {
  float largest[dk_lanes];
  for (size_t l = 0; l < dk_lanes; l++) largest[l] = -INFINITY;
  size_t i = 0;
  for (; i + dk_lanes <= n; i += dk_lanes)
    for (size_t l = 0; l < dk_lanes; l++) largest[l] = x[i + l] > largest[l] ? x[i + l] : largest[l];
  for (size_t l = 0; i + l < n; l++) largest[l] = x[i + l] > largest[l] ? x[i + l] : largest[l];
  for (size_t step = dk_lanes / 2; step > 0; step /= 2)
    for (size_t l = 0; l < step; l++) largest[l] = largest[l] > largest[l + step] ? largest[l] : largest[l + step];
  return largest[0];
}
