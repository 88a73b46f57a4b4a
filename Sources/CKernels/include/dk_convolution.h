// Convolution over channels-last buffers in one, two or three dimensions, forward and both gradients.
#pragma once
#include <stdint.h>

/// One convolution: sizes along depth, height, width (leading axes of 1 where there are fewer dimensions).
typedef struct {
  int64_t batch, in_channels, out_channels, groups;
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad_low[3], pad_high[3];
} dk_conv;

/// Fills in a convolution of `rank` 1, 2 or 3 from arrays of `rank` sizes, and computes the output sizes.
/// Returns 0 when the sizes make no convolution (an empty output, groups that don't divide the channels).
int dk_conv_make(
  dk_conv *conv, int rank, int64_t batch, int64_t in_channels, int64_t out_channels, int64_t groups,
  const int64_t *in, const int64_t *kernel, const int64_t *stride, const int64_t *dilation, const int64_t *pad_low,
  const int64_t *pad_high);

/// y = convolution of x with w, plus `bias` unless null. `x` and `y` are dense, channels last; `w` is dense in the
/// checkpoint's order [out, in / groups, kernel…]. Returns 0, or the status of oneDNN that failed.
int dk_conv_forward(const dk_conv *conv, const float *x, const float *w, const float *bias, float *y);

/// The gradient with respect to x.
int dk_conv_backward_input(const dk_conv *conv, const float *w, const float *dy, float *dx);

/// The gradients with respect to w, and to the bias unless `dbias` is null.
int dk_conv_backward_weights(const dk_conv *conv, const float *x, const float *dy, float *dw, float *dbias);

/// The implementation that oneDNN chose for `kind` 0 forward, 1 backward input, 2 backward weights ("own" for ours).
const char *dk_conv_implementation(const dk_conv *conv, int kind);
