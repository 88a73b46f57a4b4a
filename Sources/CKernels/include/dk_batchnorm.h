// Batch norm over channels-last buffers: [rows, channels], rows being all samples and positions. With ReLU or
// SiLU, and with ReLU and a 2x2 max pool, in the same pass over memory. Sums are taken over fixed blocks of rows and joined in order,
// so that results do not depend on the number of threads.
#pragma once
#include <stdint.h>

/// What follows a norm in the same pass.
typedef enum { dk_then_nothing, dk_then_relu, dk_then_silu } dk_after_norm;

/// Mean and biased variance of every channel. Exact two-pass sums inside blocks, joined in float64.
void dk_bn_statistics(int64_t rows, int64_t channels, const float *x, float *mean, float *variance);

/// y = f((x - mean) scale + shift), where f is what follows.
void dk_bn_forward(
  int64_t rows, int64_t channels, const float *x, const float *mean, const float *scale, const float *shift, dk_after_norm after,
  float *y);

/// The same of x - mean rounded to bfloat16; `centred` gets these numbers unless it is null, for backward.
void dk_bn_forward_rounded(
  int64_t rows, int64_t channels, const float *x, const float *mean, const float *scale, const float *shift,
  dk_after_norm after, uint16_t *centred, float *y);

/// y once more, the same bits, from what `dk_bn_forward_rounded` kept.
void dk_bn_forward_again(
  int64_t rows, int64_t channels, const uint16_t *centred, const float *scale, const float *shift, dk_after_norm after,
  float *y);

/// Sums over rows of g and of g (x - mean), g being dy times the slope of what follows. Unless it is null, `kept` is read
/// for x - mean, as `dk_bn_forward_rounded` left it, and x may be null.
void dk_bn_backward_sums(
  int64_t rows, int64_t channels, const float *x, const uint16_t *kept, const float *dy, const float *mean,
  const float *scale, const float *shift, dk_after_norm after, float *sum, float *sum_centred);

/// dx = scale g + slope (x - mean) + offset; `kept` as above.
void dk_bn_backward_input(
  int64_t rows, int64_t channels, const float *x, const uint16_t *kept, const float *dy, const float *mean,
  const float *scale, const float *shift, dk_after_norm after, const float *slope, const float *offset, float *dx);

/// Batch norm, ReLU and max pool of 2x2 with stride 2 over [batch, height, width, channels]; an odd last row or column
/// is left out. `winner` (0 to 3, row first; 4 where the ReLU is shut) and `centred` (x - mean of the winner) are what
/// backward needs, both of y's shape; null in inference.
void dk_bn_pool_forward(
  int64_t batch, int64_t height, int64_t width, int64_t channels, const float *x, const float *mean,
  const float *scale, const float *shift, float *y, uint8_t *winner, float *centred);

/// `dk_bn_backward_sums` from the pooled gradient; rows are pooled positions.
void dk_bn_pool_backward_sums(
  int64_t rows, int64_t channels, const float *dy, const uint8_t *winner, const float *centred, float *sum,
  float *sum_centred);

/// `dk_bn_backward_input` from the pooled gradient.
void dk_bn_pool_backward_input(
  int64_t batch, int64_t height, int64_t width, int64_t channels, const float *x, const float *dy,
  const uint8_t *winner, const float *mean, const float *scale, const float *slope, const float *offset, float *dx);
