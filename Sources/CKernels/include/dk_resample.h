// Linear maps along single axes (interpolation), padding by index maps, and weight normalisation.
#pragma once
#include <stdint.h>

/// y[outer, out, inner] = map of x[outer, in, inner]: output o is the sum of `taps` inputs from start[o] weighted by
/// weights[o * taps …]. Positions past the input's end have weight 0 and are not read.
void dk_resample(
  int64_t outer, int64_t in, int64_t out, int64_t inner, int64_t taps, const int32_t *start, const float *weights,
  const float *x, float *y);

/// The transposed map: dx from dy.
void dk_resample_transposed(
  int64_t outer, int64_t in, int64_t out, int64_t inner, int64_t taps, const int32_t *start, const float *weights,
  const float *dy, float *dx);

/// y[outer, out…, inner] takes x[outer, source…, inner] by an index map for each of three axes; -1 gives `value`.
void dk_pad(
  int64_t outer, const int64_t in[3], const int64_t out[3], int64_t inner, const int32_t *const source[3], float value,
  const float *x, float *y);

/// The transposed map: dx from dy.
void dk_pad_transposed(
  int64_t outer, const int64_t in[3], const int64_t out[3], int64_t inner, const int32_t *const source[3],
  const float *dy, float *dx);

/// w = g v / norm of v over `outer` and `inner`, for v [outer, kept, inner] and g [kept]; norms are returned too.
void dk_weight_norm(
  int64_t outer, int64_t kept, int64_t inner, const float *v, const float *g, float *w, float *norms);
void dk_weight_norm_backward(
  int64_t outer, int64_t kept, int64_t inner, const float *v, const float *g, const float *norms, const float *dw,
  float *dv, float *dg);
