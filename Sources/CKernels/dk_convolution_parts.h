// Which engine runs which convolution; the parts are dnnl_convolution.c, dk_depthwise.c and dk_patch_product.c.
#pragma once
#include "dk_convolution.h"

enum { dk_conv_kind_forward = 0, dk_conv_kind_input = 1, dk_conv_kind_weights = 2 };

int dk_dnnl_forward(const dk_conv *conv, const float *x, const float *w, const float *bias, float *y);
int dk_dnnl_backward_input(const dk_conv *conv, const float *w, const float *dy, float *dx);
int dk_dnnl_backward_weights(const dk_conv *conv, const float *x, const float *dy, float *dw, float *dbias);
const char *dk_dnnl_implementation(const dk_conv *conv, int kind, int has_bias);

/// Our own products over windows, on processors that have them.
int dk_has_patch_product(const dk_conv *conv);
int dk_patch_forward(const dk_conv *conv, const float *x, const float *w, const float *bias, float *y);
int dk_patch_backward_input(const dk_conv *conv, const float *w, const float *dy, float *dx);
int dk_patch_backward_weights(const dk_conv *conv, const float *x, const float *dy, float *dw, float *dbias);

/// Weights [out][in][tap] as [out][tap][in], in memory of this thread or as they are; and sums the other way.
const float *dk_weights_by_tap(const dk_conv *conv, const float *w);
void dk_weights_by_channel(const dk_conv *conv, const float *sums, float *dw);

/// Products over windows where they lie, of bfloat16 numbers. Whether they can do `kind` under the thread's setting.
int dk_direct_fits(const dk_conv *conv, int kind);
int dk_direct_forward(const dk_conv *conv, const float *x, const float *w, const float *bias, float *y);
int dk_direct_backward_input(const dk_conv *conv, const float *w, const float *dy, float *dx);
int dk_direct_backward_weights(const dk_conv *conv, const float *x, const float *dy, float *dw, float *dbias);

/// Windows of 3x3 by minimal filtering, of either kind of numbers; factors are rounded to bfloat16 after their transform.
int dk_winograd_fits(const dk_conv *conv, int kind);
int dk_winograd_weights_fit(const dk_conv *conv);
int dk_winograd_forward(const dk_conv *conv, const float *x, const float *w, const float *bias, float *y);
int dk_winograd_backward_input(const dk_conv *conv, const float *w, const float *dy, float *dx);
int dk_winograd_backward_weights(const dk_conv *conv, const float *x, const float *dy, float *dw, float *dbias);

/// Three taps every two numbers along one axis, in five products for six.
int dk_halving_fits(const dk_conv *conv);
int dk_halving_forward(const dk_conv *conv, const float *x, const float *w, const float *bias, float *y);
int dk_halving_backward_input(const dk_conv *conv, const float *w, const float *dy, float *dx);

/// One filter a channel: as many groups as channels in and out.
int dk_is_depthwise(const dk_conv *conv);
int dk_depthwise_forward(const dk_conv *conv, const float *x, const float *w, const float *bias, float *y);
int dk_depthwise_backward_input(const dk_conv *conv, const float *w, const float *dy, float *dx);
int dk_depthwise_backward_weights(const dk_conv *conv, const float *x, const float *dy, float *dw, float *dbias);
