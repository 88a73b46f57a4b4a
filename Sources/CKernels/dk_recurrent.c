#include "dk_recurrent.h"

#include <string.h>

#include "dk_math.h"
#include "dk_parallel.h"

static int runs(const int64_t *lengths, int64_t b, int64_t time) { return !lengths || time < lengths[b]; }

DK_CLONES void dk_lstm_step(int64_t batch, int64_t width, int64_t time, const int64_t *lengths, float *gates,
                            const float *h0, const float *c0, float *h, float *c, float *y) {
  size_t bytes = (size_t)width * sizeof(float);
  for (int64_t b = 0; b < batch; b++) {
    float *i = gates + b * 4 * width, *f = i + width, *g = f + width, *o = g + width;
    float *hb = h + b * width, *cb = c + b * width;
    const float *cp = c0 + b * width;
    if (!runs(lengths, b, time)) {
      memset(i, 0, 4 * bytes);
      memcpy(hb, h0 + b * width, bytes);
      memcpy(cb, cp, bytes);
      if (y) memset(y + b * width, 0, bytes);
      continue;
    }
    for (int64_t k = 0; k < 2 * width; k++) i[k] = dk_logisticf(i[k]);
    for (int64_t k = 0; k < width; k++) g[k] = dk_tanhf(g[k]);
    for (int64_t k = 0; k < width; k++) o[k] = dk_logisticf(o[k]);
    for (int64_t k = 0; k < width; k++) {
      float cell = f[k] * cp[k] + i[k] * g[k];
      cb[k] = cell;
      hb[k] = o[k] * dk_tanhf(cell);
    }
    if (y) memcpy(y + b * width, hb, bytes);
  }
}

DK_CLONES void dk_lstm_step_gradient(int64_t batch, int64_t width, int64_t time, const int64_t *lengths,
                                     const float *gates, const float *c0, const float *c, const float *gy, float *dh,
                                     float *dc, float *dgates) {
  size_t bytes = (size_t)width * sizeof(float);
  for (int64_t b = 0; b < batch; b++) {
    const float *i = gates + b * 4 * width, *f = i + width, *g = f + width, *o = g + width;
    float *di = dgates + b * 4 * width, *df = di + width, *dg = df + width, *d_o = dg + width;
    float *dhb = dh + b * width, *dcb = dc + b * width;
    const float *cp = c0 + b * width, *cb = c + b * width;
    if (!runs(lengths, b, time)) {
      memset(di, 0, 4 * bytes);
      continue;
    }
    if (gy)
      for (int64_t k = 0; k < width; k++) dhb[k] += gy[b * width + k];
    for (int64_t k = 0; k < width; k++) {
      float t = dk_tanhf(cb[k]), d = dhb[k];
      float cell = dcb[k] + d * o[k] * (1.0f - t * t);
      di[k] = cell * g[k] * i[k] * (1.0f - i[k]);
      df[k] = cell * cp[k] * f[k] * (1.0f - f[k]);
      dg[k] = cell * i[k] * (1.0f - g[k] * g[k]);
      d_o[k] = d * t * o[k] * (1.0f - o[k]);
      dcb[k] = cell * f[k];
      dhb[k] = 0;
    }
  }
}

DK_CLONES void dk_gru_step(int64_t batch, int64_t width, int64_t time, const int64_t *lengths, const float *x,
                           const float *hidden, const float *h0, float *kept, float *h, float *y) {
  size_t bytes = (size_t)width * sizeof(float);
  for (int64_t b = 0; b < batch; b++) {
    const float *xr = x + b * 3 * width, *xz = xr + width, *xn = xz + width;
    const float *sr = hidden + b * 3 * width, *sz = sr + width, *sn = sz + width;
    float *r = kept + b * 4 * width, *z = r + width, *n = z + width, *part = n + width;
    const float *hp = h0 + b * width;
    float *hb = h + b * width;
    if (!runs(lengths, b, time)) {
      memset(r, 0, 4 * bytes);
      memcpy(hb, hp, bytes);
      if (y) memset(y + b * width, 0, bytes);
      continue;
    }
    for (int64_t k = 0; k < width; k++) {
      r[k] = dk_logisticf(xr[k] + sr[k]);
      z[k] = dk_logisticf(xz[k] + sz[k]);
      part[k] = sn[k];
      n[k] = dk_tanhf(xn[k] + r[k] * sn[k]);
      hb[k] = (1.0f - z[k]) * n[k] + z[k] * hp[k];
    }
    if (y) memcpy(y + b * width, hb, bytes);
  }
}

DK_CLONES void dk_gru_step_gradient(int64_t batch, int64_t width, int64_t time, const int64_t *lengths,
                                    const float *kept, const float *h0, const float *gy, float *dh, float *dx,
                                    float *dhidden) {
  size_t bytes = (size_t)width * sizeof(float);
  for (int64_t b = 0; b < batch; b++) {
    const float *r = kept + b * 4 * width, *z = r + width, *n = z + width, *part = n + width;
    float *xr = dx + b * 3 * width, *xz = xr + width, *xn = xz + width;
    float *sr = dhidden + b * 3 * width, *sz = sr + width, *sn = sz + width;
    const float *hp = h0 + b * width;
    float *dhb = dh + b * width;
    if (!runs(lengths, b, time)) {
      memset(xr, 0, 3 * bytes);
      memset(sr, 0, 3 * bytes);
      continue;
    }
    if (gy)
      for (int64_t k = 0; k < width; k++) dhb[k] += gy[b * width + k];
    for (int64_t k = 0; k < width; k++) {
      float d = dhb[k], dn = d * (1.0f - z[k]) * (1.0f - n[k] * n[k]);
      float dz = d * (hp[k] - n[k]) * z[k] * (1.0f - z[k]);
      float dr = dn * part[k] * r[k] * (1.0f - r[k]);
      xr[k] = sr[k] = dr;
      xz[k] = sz[k] = dz;
      xn[k] = dn;
      sn[k] = dn * r[k];
      dhb[k] = d * z[k];
    }
  }
}
