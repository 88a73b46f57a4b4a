#pragma once
#include <stddef.h>

// Normalisation over rows. The mean is kept in two floats (a value and its rounding error), so that a mean much larger
// than the deviation costs no accuracy. `statistics` has three floats a row: mean, its remainder, 1 / deviation.

// y[r, c] = (x[r, c] - mean_r) / deviation_r · weight[c] + bias[c]; weight and bias may be null.
void dk_layer_norm(const float *x, const float *weight, const float *bias, float epsilon, size_t rows, size_t columns,
                   float *y, float *statistics);
// Gradients; each of dx, dweight, dbias may be null. Row blocks of a fixed size are summed in order.
void dk_layer_norm_gradient(const float *x, const float *g, const float *weight, const float *statistics, size_t rows,
                            size_t columns, float *dx, float *dweight, float *dbias);

// x [batch, channels, positions], row-major; `groups` divides channels; weight and bias per channel, may be null.
void dk_group_norm(const float *x, const float *weight, const float *bias, float epsilon, size_t batch, size_t channels,
                   size_t groups, size_t positions, float *y, float *statistics);
void dk_group_norm_gradient(const float *x, const float *g, const float *weight, const float *statistics, size_t batch,
                            size_t channels, size_t groups, size_t positions, float *dx, float *dweight, float *dbias);

// The same over channels-last memory, [batch, positions, channels]: the layers of a speech encoder, without a copy.
void dk_group_norm_last(const float *x, const float *weight, const float *bias, float epsilon, size_t batch,
                        size_t channels, size_t groups, size_t positions, float *y, float *statistics);
void dk_group_norm_last_gradient(const float *x, const float *g, const float *weight, const float *statistics,
                                 size_t batch, size_t channels, size_t groups, size_t positions, float *dx,
                                 float *dweight, float *dbias);
