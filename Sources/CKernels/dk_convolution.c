#include "dk_convolution_parts.h"
#include "dk_matrix.h"
#include <string.h>

int dk_conv_make(
  dk_conv *conv, int rank, int64_t batch, int64_t in_channels, int64_t out_channels, int64_t groups,
  const int64_t *in, const int64_t *kernel, const int64_t *stride, const int64_t *dilation, const int64_t *pad_low,
  const int64_t *pad_high) {
  memset(conv, 0, sizeof *conv);  // the struct is a cache key, compared by its bytes
  if (rank < 1 || rank > 3 || batch < 1 || groups < 1 || in_channels < 1 || out_channels < 1) return 0;
  if (in_channels % groups || out_channels % groups) return 0;
  conv->batch = batch;
  conv->in_channels = in_channels;
  conv->out_channels = out_channels;
  conv->groups = groups;
  for (int axis = 0; axis < 3; ++axis) {
    const int i = axis - (3 - rank), given = i >= 0;
    conv->in[axis] = given ? in[i] : 1;
    conv->kernel[axis] = given ? kernel[i] : 1;
    conv->stride[axis] = given ? stride[i] : 1;
    conv->dilation[axis] = given ? dilation[i] : 1;
    conv->pad_low[axis] = given ? pad_low[i] : 0;
    conv->pad_high[axis] = given ? pad_high[i] : 0;
    const int64_t extent = (conv->kernel[axis] - 1) * conv->dilation[axis] + 1;
    const int64_t room = conv->in[axis] + conv->pad_low[axis] + conv->pad_high[axis] - extent;
    if (conv->in[axis] < 1 || conv->kernel[axis] < 1 || conv->stride[axis] < 1 || conv->dilation[axis] < 1) return 0;
    if (conv->pad_low[axis] < 0 || conv->pad_high[axis] < 0 || room < 0) return 0;
    conv->out[axis] = room / conv->stride[axis] + 1;
  }
  return 1;
}

int dk_is_depthwise(const dk_conv *conv) {
  return conv->groups == conv->in_channels && conv->groups == conv->out_channels && conv->groups > 1;
}

// Our products, or oneDNN's kernels? In float32 oneDNN is ahead where windows are padded (it leaves out what lies outside;
// 3x3x3 over 64 to 512 channels: 110 to 150 GFLOP/s on one core against 82 to 96), ours elsewhere (512 channels, kernel
// 3, stride 2: 97, 90, 89 against 84, 104, 30; patches of images and layers of one tap alike). In bfloat16 ours
// (140 to 190), for runs of an even number of floats.
static int prefers_product(const dk_conv *c, int kind) {
  if (!dk_has_patch_product(c)) return 0;
  const int64_t inner = c->in_channels / c->groups;
  int padded = 0;
  for (int a = 0; a < 3; ++a) padded = padded || c->pad_low[a] || c->pad_high[a];
  if (!padded) return 1;
  if (dk_bfloat16() && inner % 2 == 0 && inner >= 8) return 1;
  return c->groups > 1 && kind != dk_conv_kind_forward;
}

int dk_conv_forward(const dk_conv *conv, const float *x, const float *w, const float *bias, float *y) {
  if (dk_is_depthwise(conv)) return dk_depthwise_forward(conv, x, w, bias, y);
  if (dk_halving_fits(conv)) return dk_halving_forward(conv, x, w, bias, y);
  if (dk_winograd_fits(conv, dk_conv_kind_forward)) return dk_winograd_forward(conv, x, w, bias, y);
  if (dk_direct_fits(conv, dk_conv_kind_forward)) return dk_direct_forward(conv, x, w, bias, y);
  return prefers_product(conv, dk_conv_kind_forward) ? dk_patch_forward(conv, x, w, bias, y)
                                                     : dk_dnnl_forward(conv, x, w, bias, y);
}

int dk_conv_backward_input(const dk_conv *conv, const float *w, const float *dy, float *dx) {
  if (dk_is_depthwise(conv)) return dk_depthwise_backward_input(conv, w, dy, dx);
  if (dk_halving_fits(conv)) return dk_halving_backward_input(conv, w, dy, dx);
  if (dk_winograd_fits(conv, dk_conv_kind_input)) return dk_winograd_backward_input(conv, w, dy, dx);
  if (dk_direct_fits(conv, dk_conv_kind_input)) return dk_direct_backward_input(conv, w, dy, dx);
  return prefers_product(conv, dk_conv_kind_input) ? dk_patch_backward_input(conv, w, dy, dx)
                                                   : dk_dnnl_backward_input(conv, w, dy, dx);
}

int dk_conv_backward_weights(const dk_conv *conv, const float *x, const float *dy, float *dw, float *dbias) {
  if (dk_is_depthwise(conv)) return dk_depthwise_backward_weights(conv, x, dy, dw, dbias);
  if (dk_winograd_fits(conv, dk_conv_kind_weights)) return dk_winograd_backward_weights(conv, x, dy, dw, dbias);
  if (dk_direct_fits(conv, dk_conv_kind_weights)) return dk_direct_backward_weights(conv, x, dy, dw, dbias);
  return prefers_product(conv, dk_conv_kind_weights) ? dk_patch_backward_weights(conv, x, dy, dw, dbias)
                                                     : dk_dnnl_backward_weights(conv, x, dy, dw, dbias);
}

const char *dk_conv_implementation(const dk_conv *conv, int kind) {
  if (dk_is_depthwise(conv)) return "own";
  if (kind != dk_conv_kind_weights && dk_halving_fits(conv)) return "halving";
  if (dk_winograd_fits(conv, kind)) return "winograd";
  if (dk_direct_fits(conv, kind)) return "direct";
  if (prefers_product(conv, kind)) return "product";
  return dk_dnnl_implementation(conv, kind, kind != dk_conv_kind_input);
}
