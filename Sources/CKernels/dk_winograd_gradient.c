// The weights' gradient by transformed tiles: for each point a product of dy's tiles and the input's, summed band by band.
#include "dk_convolution_parts.h"
#include "dk_elementwise.h"
#include "dk_matrix.h"
#include "dk_parallel.h"
#include "dk_window_tiles.h"
#include "dk_winograd.h"
#include "dnnl_engine.h"

#include <string.h>

#if defined(__x86_64__)
enum { width = dk_row_width, most_planes = 256, least_band = 1 << 20, most_sums = 4 << 20, least_tiles = 256 };

typedef struct {
  const dk_conv *c;
  dk_winograd w;
  const float *x, *dy;
  float *sums;            // [point][tap along depth][out][in]
  float *windows, *slopes;
  dk_band band;
  int64_t steps;          // of a plane: tiles, or pairs of them
  dk_transformed to_windows, to_slopes;
} gradient;

static int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

static int64_t slots_a_sample(const gradient *g) {
  const int64_t slots = (g->band.h1 - g->band.h0) * g->w.across;
  // The last pair of an odd number of tiles has one.
  return g->w.bfloat16 ? ceiling(slots, 2) * 2 : slots;
}

// Units are planes of the band's samples.
static void transform(
  const gradient *g, const float *from, int64_t depth, int64_t floats, const dk_transformed *to, int64_t unit,
  void (*row)(const dk_winograd *, const float *, int64_t, int64_t, const dk_transformed *)) {
  const int64_t samples = g->band.n1 - g->band.n0, slots = slots_a_sample(g);
  const int64_t d = unit / samples, n = unit % samples;
  const float *plane = from + ((g->band.n0 + n) * depth + d) * floats;
  for (int64_t h = g->band.h0; h < g->band.h1; ++h)
    row(&g->w, plane, h, (d * samples + n) * slots + (h - g->band.h0) * g->w.across, to);
}

static void transform_windows(void *context, size_t begin, size_t end) {
  const gradient *g = context;
  const dk_winograd *w = &g->w;
  for (size_t u = begin; u < end; ++u)
    transform(
      g, g->x, w->in[0], w->in[1] * w->in[2] * w->in_channels, &g->to_windows, (int64_t)u, dk_winograd_input_row);
}

static void transform_slopes(void *context, size_t begin, size_t end) {
  const gradient *g = context;
  const dk_winograd *w = &g->w;
  for (size_t u = begin; u < end; ++u)
    transform(
      g, g->dy, w->out[0], w->out[1] * w->out[2] * w->out_channels, &g->to_slopes, (int64_t)u, dk_winograd_slope_row);
}

// Units are (point, tap along depth, 14 channels out).
static void sum_units(void *context, size_t begin, size_t end) {
  const gradient *g = context;
  const dk_winograd *w = &g->w;
  const int64_t C = w->in_channels, O = w->out_channels, tiles = ceiling(O, dk_row_height);
  const dk_sum_tile *sums = dk_sum_tiles(w->bfloat16);
  const uint32_t *rows[2 * most_planes];
  for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
    const int64_t point = unit / (w->depth * tiles), tap = unit / tiles % w->depth, part = unit % tiles;
    const int64_t first = O * part / tiles, height = O * (part + 1) / tiles - first;
    const uint32_t *slopes = (const uint32_t *)(const void *)g->slopes + point * g->to_slopes.step + first;
    const uint32_t *windows = (const uint32_t *)(const void *)g->windows + point * g->to_windows.step;
    for (int64_t c0 = 0; c0 < C; c0 += width, windows += g->to_windows.panel_step)
      for (int64_t d = 0; d < w->out[0];) {
        int64_t count = 0;
        for (; d < w->out[0] && count < most_planes; ++d) {
          const int64_t z = d * w->depth_stride - w->low[0] + tap * w->depth_dilation;
          if (z < 0 || z >= w->in[0]) continue;
          rows[2 * count] = slopes + d * g->steps * O;
          rows[2 * count + 1] = windows + z * g->steps * width;
          ++count;
        }
        if (count > 0)
          sums[height - 1](
            rows, count, g->steps, O, width, g->sums + ((point * w->depth + tap) * O + first) * C + c0, C);
      }
  }
}

// Units are channels out.
static void finish(void *context, size_t begin, size_t end) {
  const gradient *g = context;
  const dk_winograd *w = &g->w;
  const int64_t C = w->in_channels, O = w->out_channels;
  for (int64_t o = (int64_t)begin; o < (int64_t)end; ++o)
    for (int64_t d = 0; d < w->depth; ++d)
      for (int64_t c = 0; c < C; c += 16)
        dk_winograd_weight_sums(
          g->sums + (d * O + o) * C + c, w->depth * O * C, g->slopes + ((o * w->depth + d) * 9) * C + c, C);
}

// Sums of all points must be worth their memory and the passes over them.
int dk_winograd_weights_fit(const dk_conv *c) {
  const int64_t tiles = c->batch * c->out[0] * ceiling(c->out[1], 2) * ceiling(c->out[2], 2);
  return tiles >= least_tiles && dk_points * c->kernel[0] * c->in_channels * c->out_channels <= most_sums;
}

int dk_winograd_backward_weights(const dk_conv *c, const float *x, const float *dy, float *dw, float *dbias) {
  gradient g = {.c = c, .w = dk_winograd_of(c), .x = x, .dy = dy};
  const dk_winograd *w = &g.w;
  const int64_t C = w->in_channels, O = w->out_channels, per_step = w->bfloat16 ? 2 : 1;
  const int64_t all = dk_points * w->depth * O * C;
  // Every band passes over all sums. The cut decides how they are made: it may not depend on the number of threads.
  const int64_t wanted = 4 * all < most_sums ? 4 * all : most_sums, band = wanted > least_band ? wanted : least_band;
  const dk_bands cut = dk_winograd_bands(w, dk_points * (w->in[0] * C + w->out[0] * O) / per_step, band, 1);
  const int64_t samples = ceiling(w->batch, cut.groups),
                most_steps = samples * ceiling(ceiling(w->down, cut.strips) * w->across, per_step);
  g.to_windows = (dk_transformed){
    .step = w->in[0] * most_steps * C + 16, .panel = width, .in_pairs = w->bfloat16};
  g.to_slopes = (dk_transformed){.step = w->out[0] * most_steps * O + 16, .panel = O, .in_pairs = w->bfloat16};
  const size_t windows = (size_t)(dk_points * g.to_windows.step), slopes = (size_t)(dk_points * g.to_slopes.step),
               taps = (size_t)(O * w->depth * 9 * C);
  float *scratch = dk_scratch_of(dk_scratch_panels, (windows + (slopes > taps ? slopes : taps) + 64) * sizeof(float));
  g.sums = dk_scratch_of(dk_scratch_weights, (size_t)all * sizeof(float));
  if (!scratch || !g.sums) return 1;
  memset(g.sums, 0, (size_t)all * sizeof(float));
  (g.to_windows.base = g.windows = scratch, g.to_slopes.base = g.slopes = scratch + windows);
  for (int64_t b = 0; b < cut.groups * cut.strips; ++b) {
    g.band = dk_winograd_band(w, cut, b);
    const int64_t in_band = g.band.n1 - g.band.n0;
    g.steps = in_band * slots_a_sample(&g) / per_step;
    g.to_windows.panel_step = w->in[0] * g.steps * width;
    dk_parallel((size_t)(in_band * w->in[0]), 1, 1, &g, transform_windows);
    dk_parallel((size_t)(in_band * w->out[0]), 1, 1, &g, transform_slopes);
    dk_parallel((size_t)(dk_points * w->depth * ceiling(O, dk_row_height)), 1, 1, &g, sum_units);
  }
  dk_parallel((size_t)O, 1, 1, &g, finish);
  dk_weights_by_channel(c, g.slopes, dw);
  if (dbias) dk_sum_rows(dy, dbias, (size_t)(c->batch * c->out[0] * c->out[1] * c->out[2]), (size_t)O);
  return 0;
}
#else
int dk_winograd_weights_fit(const dk_conv *c) { return (void)c, 0; }
int dk_winograd_backward_weights(const dk_conv *c, const float *x, const float *dy, float *dw, float *dbias) {
  return (void)c, (void)x, (void)dy, (void)dw, (void)dbias, 1;
}
#endif
