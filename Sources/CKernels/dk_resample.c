#include "dk_resample.h"
#include "dk_parallel.h"
#include "dk_lanes.h"
#include <math.h>
#include <stdlib.h>

// Items of this many operations that make a share worth a thread.
static size_t grain(int64_t operations) { return (size_t)(1 + 65536 / (operations + 1)); }

typedef struct {
  int64_t in, out, inner, taps;
  const int32_t *start;
  const float *weights, *from;
  float *to;
} axis_work;

DK_CLONES static void resample_outer(void *context, size_t begin, size_t end) {
  const axis_work *job = context;
  const int64_t inner = job->inner;
  for (int64_t n = (int64_t)begin; n < (int64_t)end; ++n)
    for (int64_t o = 0; o < job->out; ++o) {
      float *y = job->to + (n * job->out + o) * inner;
      for (int64_t i = 0; i < inner; ++i) y[i] = 0;
      for (int64_t t = 0; t < job->taps && job->start[o] + t < job->in; ++t) {
        const float weight = job->weights[o * job->taps + t];
        const float *x = job->from + (n * job->in + job->start[o] + t) * inner;
        for (int64_t i = 0; i < inner; ++i) y[i] += weight * x[i];
      }
    }
}

DK_CLONES static void resample_outer_transposed(void *context, size_t begin, size_t end) {
  const axis_work *job = context;
  const int64_t inner = job->inner;
  for (int64_t n = (int64_t)begin; n < (int64_t)end; ++n) {
    float *base = job->to + n * job->in * inner;
    memset(base, 0, (size_t)(job->in * inner) * sizeof(float));
    for (int64_t o = 0; o < job->out; ++o) {
      const float *dy = job->from + (n * job->out + o) * inner;
      for (int64_t t = 0; t < job->taps && job->start[o] + t < job->in; ++t) {
        const float weight = job->weights[o * job->taps + t];
        float *dx = base + (job->start[o] + t) * inner;
        for (int64_t i = 0; i < inner; ++i) dx[i] += weight * dy[i];
      }
    }
  }
}

void dk_resample(
  int64_t outer, int64_t in, int64_t out, int64_t inner, int64_t taps, const int32_t *start, const float *weights,
  const float *x, float *y) {
  axis_work job = {in, out, inner, taps, start, weights, x, y};
  dk_parallel((size_t)outer, grain(out * inner * taps), 1, &job, resample_outer);
}

void dk_resample_transposed(
  int64_t outer, int64_t in, int64_t out, int64_t inner, int64_t taps, const int32_t *start, const float *weights,
  const float *dy, float *dx) {
  axis_work job = {in, out, inner, taps, start, weights, dy, dx};
  dk_parallel((size_t)outer, grain(out * inner * taps), 1, &job, resample_outer_transposed);
}

typedef struct {
  const int64_t *in, *out;
  int64_t inner;
  const int32_t *const *source;
  float value;
  const float *from;
  float *to;
} pad_work;

static void pad_outer(void *context, size_t begin, size_t end) {
  const pad_work *job = context;
  const int64_t inner = job->inner, *in = job->in, *out = job->out;
  for (int64_t n = (int64_t)begin; n < (int64_t)end; ++n)
    for (int64_t d = 0; d < out[0]; ++d)
      for (int64_t h = 0; h < out[1]; ++h)
        for (int64_t w = 0; w < out[2]; ++w) {
          const int64_t sd = job->source[0][d], sh = job->source[1][h], sw = job->source[2][w];
          float *y = job->to + (((n * out[0] + d) * out[1] + h) * out[2] + w) * inner;
          if (sd < 0 || sh < 0 || sw < 0)
            for (int64_t i = 0; i < inner; ++i) y[i] = job->value;
          else
            memcpy(
              y, job->from + (((n * in[0] + sd) * in[1] + sh) * in[2] + sw) * inner, (size_t)inner * sizeof(float));
        }
}

static void pad_outer_transposed(void *context, size_t begin, size_t end) {
  const pad_work *job = context;
  const int64_t inner = job->inner, *in = job->in, *out = job->out;
  memset(
    job->to + (int64_t)begin * in[0] * in[1] * in[2] * inner, 0,
    (size_t)((int64_t)(end - begin) * in[0] * in[1] * in[2] * inner) * sizeof(float));
  for (int64_t n = (int64_t)begin; n < (int64_t)end; ++n)
    for (int64_t d = 0; d < out[0]; ++d)
      for (int64_t h = 0; h < out[1]; ++h)
        for (int64_t w = 0; w < out[2]; ++w) {
          const int64_t sd = job->source[0][d], sh = job->source[1][h], sw = job->source[2][w];
          if (sd < 0 || sh < 0 || sw < 0) continue;
          const float *dy = job->from + (((n * out[0] + d) * out[1] + h) * out[2] + w) * inner;
          float *dx = job->to + (((n * in[0] + sd) * in[1] + sh) * in[2] + sw) * inner;
          for (int64_t i = 0; i < inner; ++i) dx[i] += dy[i];
        }
}

void dk_pad(
  int64_t outer, const int64_t in[3], const int64_t out[3], int64_t inner, const int32_t *const source[3], float value,
  const float *x, float *y) {
  pad_work job = {in, out, inner, source, value, x, y};
  dk_parallel((size_t)outer, grain(out[0] * out[1] * out[2] * inner), 1, &job, pad_outer);
}

void dk_pad_transposed(
  int64_t outer, const int64_t in[3], const int64_t out[3], int64_t inner, const int32_t *const source[3],
  const float *dy, float *dx) {
  pad_work job = {in, out, inner, source, 0, dy, dx};
  dk_parallel((size_t)outer, grain(out[0] * out[1] * out[2] * inner), 1, &job, pad_outer_transposed);
}

void dk_weight_norm(
  int64_t outer, int64_t kept, int64_t inner, const float *v, const float *g, float *w, float *norms) {
  double *squares = calloc((size_t)kept, sizeof(double));
  if (!squares) abort();
  for (int64_t a = 0; a < outer; ++a)
    for (int64_t k = 0; k < kept; ++k)
      for (int64_t b = 0; b < inner; ++b) {
        const double value = v[(a * kept + k) * inner + b];
        squares[k] += value * value;
      }
  for (int64_t k = 0; k < kept; ++k) norms[k] = (float)sqrt(squares[k]);
  for (int64_t a = 0; a < outer; ++a)
    for (int64_t k = 0; k < kept; ++k) {
      const float factor = g[k] / norms[k];
      for (int64_t b = 0; b < inner; ++b) w[(a * kept + k) * inner + b] = v[(a * kept + k) * inner + b] * factor;
    }
  free(squares);
}

// With u = v / |v|: dg = dw . u, and dv is g / |v| times the part of dw that is not along u.
void dk_weight_norm_backward(
  int64_t outer, int64_t kept, int64_t inner, const float *v, const float *g, const float *norms, const float *dw,
  float *dv, float *dg) {
  double *along = calloc((size_t)kept, sizeof(double));
  if (!along) abort();
  for (int64_t a = 0; a < outer; ++a)
    for (int64_t k = 0; k < kept; ++k)
      for (int64_t b = 0; b < inner; ++b) {
        const int64_t i = (a * kept + k) * inner + b;
        along[k] += (double)dw[i] * (double)v[i];
      }
  for (int64_t k = 0; k < kept; ++k) dg[k] = (float)(along[k] / norms[k]);
  for (int64_t a = 0; a < outer; ++a)
    for (int64_t k = 0; k < kept; ++k) {
      const float factor = g[k] / norms[k], unit = dg[k] / norms[k];
      for (int64_t b = 0; b < inner; ++b) {
        const int64_t i = (a * kept + k) * inner + b;
        dv[i] = factor * (dw[i] - unit * v[i]);
      }
    }
  free(along);
}
