// Convolutions of bfloat16 numbers without packed windows: a sample is rounded once, and the innermost loop reads each
// window's channels from where they lie, as neighbouring windows are a fixed distance apart. Taps outside the picture
// are left out along depth and height; only the ends of rows are padded.
#include "dk_convolution_parts.h"
#include "dk_copy.h"
#include "dk_elementwise.h"
#include "dk_matrix.h"
#include "dk_panels.h"
#include "dk_parallel.h"
#include "dk_window_tiles.h"
#include "dnnl_engine.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum { most_taps = 1024, tile_height = dk_row_height, width = dk_row_width, row_block = 14, panel_words = 96 << 10 };

// One convolution as its loops see it: the gradient of the input is another one, over dy.
typedef struct {
  int64_t batch, in_channels, out_channels, in[3], out[3], kernel[3], stride[3], dilation[3], low[3];
  int64_t taps, row_pixels;  // of a padded row
  int64_t words;             // pairs of channels in
  const float *x, *bias;
  float *y;
  uint16_t *rounded;         // one sample, rows padded
  float *panels;             // [panel][tap][word][32]
  const float *weights;      // [out][tap][in]
  int is_gradient;           // panels of a mirrored convolution: lines are channels in of the forward one
  int64_t sample;
} direct;

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"), min_vector_width(512)))

static void round_rows(void *context, size_t begin, size_t end) {
  const direct *d = context;
  const int64_t C = d->in_channels, W = d->in[2], low = d->low[2];
  const float *x = d->x + d->sample * d->in[0] * d->in[1] * W * C;
  for (int64_t r = (int64_t)begin; r < (int64_t)end; ++r) {
    uint16_t *to = d->rounded + r * d->row_pixels * C;
    memset(to, 0, (size_t)(low * C) * 2);
    dk_float_to_bfloat16(x + r * W * C, to + low * C, (size_t)(W * C));
    memset(to + (low + W) * C, 0, (size_t)((d->row_pixels - low - W) * C) * 2);
  }
}

// Units are panels of 32 channels out.
static void pack_panels(void *context, size_t begin, size_t end) {
  const direct *d = context;
  const int64_t in = d->in_channels, out = d->out_channels, taps = d->taps;
  const float **starts = malloc((size_t)(in > width ? in : width) * sizeof *starts);
  if (!starts) abort();
  for (int64_t panel = (int64_t)begin; panel < (int64_t)end; ++panel)
    for (int64_t t = 0; t < taps; ++t) {
      float *to = d->panels + (panel * taps + t) * d->words * width;
      if (d->is_gradient) {
        for (int64_t i = 0; i < in; ++i) starts[i] = d->weights + (i * taps + taps - 1 - t) * out + panel * width;
        dk_pack_terms(starts, width, width, in, 1, to);
      } else {
        for (int64_t o = 0; o < width; ++o) starts[o] = d->weights + ((panel * width + o) * taps + t) * in;
        dk_pack_lines(starts, width, width, in, 1, to);
      }
    }
  free(starts);
}

// The taps `from..<to` that reach row (depth, height) of the output; offsets are from the sample's first word.
static int64_t taps_inside(const direct *d, int64_t depth, int64_t height, int64_t from, int64_t to, dk_tap *list) {
  int64_t count = 0;
  for (int64_t t = from; t < to; ++t) {
    const int64_t kw = t % d->kernel[2], kh = t / d->kernel[2] % d->kernel[1], kd = t / d->kernel[2] / d->kernel[1];
    const int64_t z = depth * d->stride[0] - d->low[0] + kd * d->dilation[0],
                  y = height * d->stride[1] - d->low[1] + kh * d->dilation[1];
    if (z < 0 || z >= d->in[0] || y < 0 || y >= d->in[1]) continue;
    list[count++] = (dk_tap){((z * d->in[1] + y) * d->row_pixels + kw * d->dilation[2]) * d->words, t};
  }
  return count;
}

// Units are rows of one sample's output.
static void run_rows(void *context, size_t begin, size_t end) {
  const direct *d = context;
  const dk_row_tile *tiles = dk_row_tiles(1, d->words * d->stride[2]);
  const int64_t W = d->out[2], O = d->out_channels, pieces = (W + tile_height - 1) / tile_height;
  // As many taps as leave a panel in the second-level cache.
  int64_t group = panel_words / (d->words * width);
  group = group < 1 ? 1 : group;
  dk_tap list[most_taps];
  for (int64_t r0 = (int64_t)begin; r0 < (int64_t)end; r0 += row_block)
    for (int64_t panel = 0; panel < O / width; ++panel)
      for (int64_t t0 = 0; t0 < d->taps; t0 += group) {
        const int64_t t1 = t0 + group < d->taps ? t0 + group : d->taps;
        const float *packed = d->panels + panel * d->taps * d->words * width;
        for (int64_t r = r0; r < r0 + row_block && r < (int64_t)end; ++r) {
          const int64_t count = taps_inside(d, r / d->out[1], r % d->out[1], t0, t1, list);
          if (count == 0 && t0 > 0) continue;
          float *y = d->y + ((d->sample * d->out[0] * d->out[1] + r) * W) * O + panel * width;
          for (int64_t piece = 0; piece < pieces; ++piece) {
            const int64_t w = W * piece / pieces, height = W * (piece + 1) / pieces - w;
            tiles[height - 1](
              list, count, d->words, (const float *)(const void *)d->rounded + w * d->stride[2] * d->words, packed,
              y + w * O, O, d->bias ? d->bias + panel * width : 0, t0 > 0);
          }
        }
      }
}

static int run(direct *d) {
  d->taps = d->kernel[0] * d->kernel[1] * d->kernel[2];
  d->words = d->in_channels / 2;
  const int64_t reach = (d->out[2] - 1) * d->stride[2] + (d->kernel[2] - 1) * d->dilation[2] + 1;
  d->row_pixels = reach > d->low[2] + d->in[2] ? reach : d->low[2] + d->in[2];
  const size_t panel_bytes = (size_t)(d->out_channels * d->taps * d->words) * sizeof(float);
  const size_t sample_bytes = (size_t)(d->in[0] * d->in[1] * d->row_pixels * d->in_channels) * 2;
  d->panels = dk_scratch_of(dk_scratch_panels, panel_bytes + sample_bytes + 128);
  if (!d->panels) return 1;
  d->rounded = (uint16_t *)((char *)d->panels + (panel_bytes + 63) / 64 * 64);
  dk_parallel((size_t)(d->out_channels / width), 1, 1, d, pack_panels);
  for (d->sample = 0; d->sample < d->batch; ++d->sample) {
    dk_parallel((size_t)(d->in[0] * d->in[1]), 1, 1, d, round_rows);
    dk_parallel((size_t)(d->out[0] * d->out[1]), 1, 1, d, run_rows);
  }
  return 0;
}

// Pairs of short rows leave the weights' gradient to packed windows: 7 positions give 142 GFLOP/s here and 174 there, 25
// give 196 and 172.
int dk_direct_fits(const dk_conv *c, int kind) {
  const int64_t taps = c->kernel[0] * c->kernel[1] * c->kernel[2];
  if (!dk_bfloat16() || c->groups != 1 || taps < 2 || taps > most_taps) return 0;
  if (c->in_channels % width || c->out_channels % width) return 0;
  switch (kind) {
    case dk_conv_kind_forward: return dk_row_tiles(1, c->in_channels / 2 * c->stride[2]) != 0;
    case dk_conv_kind_weights: return c->stride[2] == 1 && c->out[2] >= 16;
    default:
      for (int a = 0; a < 3; ++a)
        if (c->stride[a] != 1 || c->pad_low[a] > (c->kernel[a] - 1) * c->dilation[a]) return 0;
      return dk_row_tiles(1, c->out_channels / 2) != 0;
  }
}

int dk_direct_forward(const dk_conv *c, const float *x, const float *w, const float *bias, float *y) {
  direct d = {.batch = c->batch, .in_channels = c->in_channels, .out_channels = c->out_channels, .x = x, .bias = bias,
              .y = y, .weights = dk_weights_by_tap(c, w)};
  memcpy(d.in, c->in, sizeof d.in);
  memcpy(d.out, c->out, sizeof d.out);
  memcpy(d.kernel, c->kernel, sizeof d.kernel);
  memcpy(d.stride, c->stride, sizeof d.stride);
  memcpy(d.dilation, c->dilation, sizeof d.dilation);
  memcpy(d.low, c->pad_low, sizeof d.low);
  return run(&d);
}

int dk_direct_backward_input(const dk_conv *c, const float *w, const float *dy, float *dx) {
  direct d = {.batch = c->batch, .in_channels = c->out_channels, .out_channels = c->in_channels, .x = dy, .y = dx,
              .weights = dk_weights_by_tap(c, w), .is_gradient = 1};
  memcpy(d.in, c->out, sizeof d.in);
  memcpy(d.out, c->in, sizeof d.out);
  memcpy(d.kernel, c->kernel, sizeof d.kernel);
  memcpy(d.stride, c->stride, sizeof d.stride);
  memcpy(d.dilation, c->dilation, sizeof d.dilation);
  for (int a = 0; a < 3; ++a) d.low[a] = (c->kernel[a] - 1) * c->dilation[a] - c->pad_low[a];
  return run(&d);
}

// MARK: The weights' gradient

// One sample with neighbours along a row in one word: [row][pair][channel][2], the first pair beginning at pixel 0 or 1.
typedef struct {
  const dk_conv *c;
  const float *x, *dy;
  float *dw;                    // [out][tap][in]
  uint32_t *pairs[2], *slopes;  // of x, by where pairs begin; of dy
  int64_t taps, x_pairs, y_pairs, sample;
} weights;

TARGET static void interleave_row(
  const float *x, int64_t pixels, int64_t channels, int64_t first, int64_t pairs, uint32_t *to) {
  for (int64_t p = 0; p < pairs; ++p, to += channels) {
    const int64_t w = first + 2 * p;
    const float *low = w >= 0 && w < pixels ? x + w * channels : 0;
    const float *high = w + 1 >= 0 && w + 1 < pixels ? x + (w + 1) * channels : 0;
    for (int64_t i = 0; i < channels; i += 16) {
      const __m512 a = low ? _mm512_loadu_ps(low + i) : _mm512_setzero_ps(),
                   b = high ? _mm512_loadu_ps(high + i) : _mm512_setzero_ps();
      const __m512i even = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a)),
                    odd = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
      _mm512_storeu_si512(to + i, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
    }
  }
}

static int needs_odd(const dk_conv *c) { return c->kernel[2] > 1 && c->dilation[2] % 2 == 1; }

static void interleave_x(void *context, size_t begin, size_t end) {
  const weights *g = context;
  const dk_conv *c = g->c;
  const int64_t C = c->in_channels, W = c->in[2];
  const float *x = g->x + g->sample * c->in[0] * c->in[1] * W * C;
  for (int64_t r = (int64_t)begin; r < (int64_t)end; ++r)
    for (int q = 0; q <= needs_odd(c); ++q)
      interleave_row(x + r * W * C, W, C, q - c->pad_low[2], g->x_pairs, g->pairs[q] + r * g->x_pairs * C);
}

static void interleave_dy(void *context, size_t begin, size_t end) {
  const weights *g = context;
  const dk_conv *c = g->c;
  const int64_t C = c->out_channels, W = c->out[2];
  const float *dy = g->dy + g->sample * c->out[0] * c->out[1] * W * C;
  for (int64_t r = (int64_t)begin; r < (int64_t)end; ++r)
    interleave_row(dy + r * W * C, W, C, 0, g->y_pairs, g->slopes + r * g->y_pairs * C);
}

// Units are taps times tiles of channels out; a unit's sums grow sample by sample, block of rows by block of rows.
static void sum_units(void *context, size_t begin, size_t end) {
  const weights *g = context;
  const dk_conv *c = g->c;
  const int64_t C = c->in_channels, O = c->out_channels, out_rows = c->out[0] * c->out[1];
  const int64_t tiles = (O + tile_height - 1) / tile_height;
  const dk_sum_tile *sums = dk_sum_tiles(1);
  enum { block = 64 };
  const uint32_t *rows[2 * block], *here[2 * block];
  int64_t step = 16384 / (g->y_pairs * (C + O));  // rows whose numbers stay near the core
  step = step < 4 ? 4 : (step > block ? block : step);
  for (int64_t r0 = 0; r0 < out_rows; r0 += step)
    for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
      const int64_t t = unit / tiles, part = unit % tiles;
      const int64_t kw = t % c->kernel[2], kh = t / c->kernel[2] % c->kernel[1], kd = t / c->kernel[2] / c->kernel[1];
      const int64_t shift = kw * c->dilation[2], first = O * part / tiles, height = O * (part + 1) / tiles - first;
      int64_t count = 0;
      for (int64_t r = r0; r < r0 + step && r < out_rows; ++r) {
        const int64_t z = r / c->out[1] * c->stride[0] - c->pad_low[0] + kd * c->dilation[0],
                      y = r % c->out[1] * c->stride[1] - c->pad_low[1] + kh * c->dilation[1];
        if (z < 0 || z >= c->in[0] || y < 0 || y >= c->in[1]) continue;
        rows[2 * count] = g->slopes + r * g->y_pairs * O + first;
        rows[2 * count + 1] = g->pairs[shift % 2] + ((z * c->in[1] + y) * g->x_pairs + shift / 2) * C;
        ++count;
      }
      if (count == 0) continue;
      for (int64_t c0 = 0; c0 < C; c0 += width) {
        for (int64_t i = 0; i < count; ++i) {
          here[2 * i] = rows[2 * i];
          here[2 * i + 1] = rows[2 * i + 1] + c0;
        }
        sums[height - 1](here, count, g->y_pairs, O, C, g->dw + (first * g->taps + t) * C + c0, g->taps * C);
      }
    }
}

int dk_direct_backward_weights(const dk_conv *c, const float *x, const float *dy, float *dw, float *dbias) {
  weights g = {.c = c, .x = x, .dy = dy, .taps = c->kernel[0] * c->kernel[1] * c->kernel[2]};
  const int64_t C = c->in_channels, O = c->out_channels;
  g.y_pairs = (c->out[2] + 1) / 2;
  g.x_pairs = g.y_pairs + (c->kernel[2] - 1) * c->dilation[2] / 2 + 1;
  const size_t x_words = (size_t)(c->in[0] * c->in[1] * g.x_pairs * C),
               y_words = (size_t)(c->out[0] * c->out[1] * g.y_pairs * O);
  uint32_t *scratch = dk_scratch_of(dk_scratch_panels, (x_words * 2 + y_words) * sizeof(uint32_t));
  float *sums = dk_scratch_of(dk_scratch_weights, (size_t)(O * g.taps * C) * sizeof(float));
  if (!scratch || !sums) return 1;
  memset(sums, 0, (size_t)(O * g.taps * C) * sizeof(float));
  (g.pairs[0] = scratch, g.pairs[1] = scratch + x_words, g.slopes = scratch + 2 * x_words, g.dw = sums);
  const int64_t units = g.taps * ((O + tile_height - 1) / tile_height);
  for (g.sample = 0; g.sample < c->batch; ++g.sample) {
    dk_parallel((size_t)(c->in[0] * c->in[1]), 1, 1, &g, interleave_x);
    dk_parallel((size_t)(c->out[0] * c->out[1]), 1, 1, &g, interleave_dy);
    dk_parallel((size_t)units, 1, 1, &g, sum_units);
  }
  dk_weights_by_channel(c, sums, dw);
  if (dbias) dk_sum_rows(dy, dbias, (size_t)(c->batch * c->out[0] * c->out[1] * c->out[2]), (size_t)O);
  return 0;
}
#else
int dk_direct_fits(const dk_conv *c, int kind) { return (void)c, (void)kind, 0; }
int dk_direct_forward(const dk_conv *c, const float *x, const float *w, const float *bias, float *y) {
  return (void)c, (void)x, (void)w, (void)bias, (void)y, 1;
}
int dk_direct_backward_input(const dk_conv *c, const float *w, const float *dy, float *dx) {
  return (void)c, (void)w, (void)dy, (void)dx, 1;
}
int dk_direct_backward_weights(const dk_conv *c, const float *x, const float *dy, float *dw, float *dbias) {
  return (void)c, (void)x, (void)dy, (void)dw, (void)dbias, 1;
}
#endif
