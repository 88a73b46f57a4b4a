// Pooling over channels-last buffers in one to three dimensions, with any windows: strided, dilated or adaptive.
#pragma once
#include <stdint.h>

/// Windows along depth, height and width (one position of an unused axis). Output o of an axis covers the positions
/// begin[o], begin[o] + step, … below end[o], all inside the input; `extent[o]` is its share of an average's divisor.
typedef struct {
  int64_t batch, channels, in[3], out[3], step[3];
  const int32_t *begin[3], *end[3], *extent[3];
} dk_pool;

/// Largest value of each window, the first of equals; NaN wins. `index` (null in inference) has y's shape: the position
/// of the winner in its sample.
void dk_max_pool_forward(const dk_pool *pool, const float *x, float *y, int32_t *index);
void dk_max_pool_backward(const dk_pool *pool, const float *dy, const int32_t *index, float *dx);

/// Sum of each window over the product of its extents.
void dk_average_pool_forward(const dk_pool *pool, const float *x, float *y);
void dk_average_pool_backward(const dk_pool *pool, const float *dy, float *dx);
