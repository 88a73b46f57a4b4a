#include "dk_winograd.h"
#include "dk_convolution_parts.h"
#include "dk_matrix.h"
#include "dk_panels.h"
#include "dk_parallel.h"
#include "dk_product.h"
#include "dk_window_tiles.h"
#include "dnnl_engine.h"

#include <stdlib.h>
#include <string.h>

static int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

dk_winograd dk_winograd_of(const dk_conv *c) {
  dk_winograd w = {
    .batch = c->batch, .in_channels = c->in_channels, .out_channels = c->out_channels, .depth = c->kernel[0],
    .depth_stride = c->stride[0], .depth_dilation = c->dilation[0], .down = ceiling(c->out[1], 2),
    .across = ceiling(c->out[2], 2), .bfloat16 = dk_bfloat16()};
  memcpy(w.in, c->in, sizeof w.in);
  memcpy(w.out, c->out, sizeof w.out);
  memcpy(w.low, c->pad_low, sizeof w.low);
  return w;
}

dk_bands dk_winograd_bands(const dk_winograd *w, int64_t floats_a_tile, int64_t most, int64_t least) {
  dk_bands cut = {1, 1};
  for (;;) {
    const int64_t tiles = ceiling(w->batch, cut.groups) * ceiling(w->down, cut.strips) * w->across;
    if (tiles * floats_a_tile <= most && cut.groups * cut.strips >= least) return cut;
    if (cut.groups < w->batch)
      ++cut.groups;
    else if (cut.strips < w->down)
      ++cut.strips;
    else
      return cut;
  }
}

dk_band dk_winograd_band(const dk_winograd *w, dk_bands cut, int64_t index) {
  const int64_t g = index / cut.strips, s = index % cut.strips;
  return (dk_band){
    w->batch * g / cut.groups, w->batch * (g + 1) / cut.groups, w->down * s / cut.strips,
    w->down * (s + 1) / cut.strips};
}

#if defined(__x86_64__)
enum { width = dk_row_width, most_depth = 32, least_tiles = 128 };
enum { band_floats = 1 << 19, sum_tiles = 192, terms_a_pack = 64 };

// A product for each of 16 points, over the channels (and the taps along depth).
typedef struct {
  dk_winograd w;
  const float *x, *bias, *weights;  // weights [out][tap][in]
  float *y, *panels;                // panels [32 channels out][point][tap][word][32]
  int64_t words;
  int is_gradient;  // weights are of a mirrored convolution: their out are our channels in
  dk_bands cut;
} plan;

// Units are panels of 32 channels out.
static void transform_weights(void *context, size_t begin, size_t end) {
  const plan *p = context;
  const dk_winograd *w = &p->w;
  const int64_t in = w->in_channels, taps = w->depth * 9, per_word = w->bfloat16 ? 2 : 1;
  float *block = dk_scratch_of(dk_scratch_lines, (size_t)(dk_points * width * terms_a_pack) * sizeof(float));
  if (!block) abort();
  for (int64_t panel = (int64_t)begin; panel < (int64_t)end; ++panel)
    for (int64_t d = 0; d < w->depth; ++d)
      for (int64_t from = 0; from < in; from += terms_a_pack) {
        const int64_t terms = in - from < terms_a_pack ? in - from : terms_a_pack;
        if (p->is_gradient) {
          // The last tap of the mirrored plane, and backwards.
          const int64_t row = w->out_channels, last = (w->depth - d) * 9 - 1;
          for (int64_t i = 0; i < terms; ++i)
            for (int64_t half = 0; half < width; half += 16)
              dk_winograd_weights(
                p->weights + ((from + i) * taps + last) * row + panel * width + half, -row, block + i * width + half,
                width * terms_a_pack);
        } else {
          for (int64_t o = 0; o < width; ++o)
            for (int64_t i = 0; i < terms; i += 16)
              dk_winograd_weights(
                p->weights + ((panel * width + o) * taps + d * 9) * in + from + i, in, block + o * terms_a_pack + i,
                width * terms_a_pack);
        }
        for (int64_t point = 0; point < dk_points; ++point) {
          const float *starts[terms_a_pack > width ? terms_a_pack : width];
          const float *first = block + point * width * terms_a_pack;
          float *to = p->panels + (((panel * dk_points + point) * w->depth + d) * p->words + from / per_word) * width;
          if (p->is_gradient) {
            for (int64_t i = 0; i < terms; ++i) starts[i] = first + i * width;
            dk_pack_terms(starts, width, width, terms, w->bfloat16, to);
          } else {
            for (int64_t o = 0; o < width; ++o) starts[o] = first + o * terms_a_pack;
            dk_pack_lines(starts, width, width, terms, w->bfloat16, to);
          }
        }
      }
}

// The taps along depth that reach plane `at` of the output; offsets are from a point's first word.
static int64_t taps_inside(const dk_winograd *w, int64_t at, int64_t plane_words, dk_tap *list) {
  int64_t count = 0;
  for (int64_t d = 0; d < w->depth; ++d) {
    const int64_t z = at * w->depth_stride - w->low[0] + d * w->depth_dilation;
    if (z >= 0 && z < w->in[0]) list[count++] = (dk_tap){z * plane_words, d};
  }
  return count;
}

static void multiply_band(const plan *p, dk_band band) {
  const dk_winograd *w = &p->w;
  const int64_t C = w->in_channels, O = w->out_channels, strip = (band.h1 - band.h0) * w->across;
  const int64_t slots = (band.n1 - band.n0) * strip, plane_words = slots * p->words;
  // A line more between points, so that they do not all fall into the same sets of the caches.
  const int64_t point_words = w->in[0] * plane_words + 16;
  int64_t planes = sum_tiles / slots;
  planes = planes < 1 ? 1 : (planes > w->out[0] ? w->out[0] : planes);
  float *windows = dk_scratch_of(
    dk_scratch_shared, (size_t)(dk_points * point_words + planes * slots * dk_winograd_sums_a_tile) * sizeof(float));
  if (!windows) abort();
  float *sums = windows + dk_points * point_words;
  const dk_transformed to = {.base = windows, .step = w->bfloat16 ? 2 * point_words : point_words, .panel = C};
  for (int64_t d = 0; d < w->in[0]; ++d)
    for (int64_t n = band.n0; n < band.n1; ++n)
      for (int64_t h = band.h0; h < band.h1; ++h)
        dk_winograd_input_row(
          w, p->x + (n * w->in[0] + d) * w->in[1] * w->in[2] * C, h,
          d * slots + (n - band.n0) * strip + (h - band.h0) * w->across, &to);
  const dk_row_tile *tiles = dk_row_tiles(w->bfloat16, p->words);
  const int64_t pieces = ceiling(slots, dk_row_height);
  dk_tap list[most_depth];
  for (int64_t d0 = 0; d0 < w->out[0]; d0 += planes) {
    const int64_t d1 = d0 + planes < w->out[0] ? d0 + planes : w->out[0];
    for (int64_t panel = 0; panel < O / width; ++panel) {
      for (int64_t point = 0; point < dk_points; ++point)
        for (int64_t d = d0; d < d1; ++d) {
          const int64_t count = taps_inside(w, d, plane_words, list);
          const float *packed = p->panels + (panel * dk_points + point) * w->depth * p->words * width;
          float *c = sums + (d - d0) * slots * dk_winograd_sums_a_tile + point * width;
          for (int64_t piece = 0; piece < pieces; ++piece) {
            const int64_t s = slots * piece / pieces, height = slots * (piece + 1) / pieces - s;
            tiles[height - 1](
              list, count, p->words, windows + point * point_words + s * p->words, packed,
              c + s * dk_winograd_sums_a_tile, dk_winograd_sums_a_tile, 0, 0);
          }
        }
      for (int64_t d = d0; d < d1; ++d)
        for (int64_t n = band.n0; n < band.n1; ++n)
          for (int64_t h = band.h0; h < band.h1; ++h)
            dk_winograd_output_row(
              w, sums + ((d - d0) * slots + (n - band.n0) * strip + (h - band.h0) * w->across) * dk_winograd_sums_a_tile,
              h, p->bias ? p->bias + panel * width : 0,
              p->y + (n * w->out[0] + d) * w->out[1] * w->out[2] * O + panel * width);
    }
  }
}

static void run_bands(void *context, size_t begin, size_t end) {
  const plan *p = context;
  for (size_t b = begin; b < end; ++b) multiply_band(p, dk_winograd_band(&p->w, p->cut, (int64_t)b));
}

static int run(plan *p) {
  const dk_winograd *w = &p->w;
  p->words = w->in_channels / (w->bfloat16 ? 2 : 1);
  p->panels = dk_scratch_of(
    dk_scratch_panels, (size_t)(w->out_channels * dk_points * w->depth * p->words) * sizeof(float));
  if (!p->panels) return 1;
  // How bands are cut changes no sum. Windows and sums of a band stay in the second-level cache, or not far from it.
  const int64_t words = dk_points * w->in[0] * p->words, least = band_floats / sum_tiles;
  p->cut = dk_winograd_bands(w, words > least ? words : least, band_floats, dk_threads() > 1 ? dk_threads() : 2);
  dk_parallel((size_t)(w->out_channels / width), 1, 1, p, transform_weights);
  dk_parallel((size_t)(p->cut.groups * p->cut.strips), 1, 1, p, run_bands);
  return 0;
}

// Fewer tiles leave the transformed weights, which are read once for each 14, too dear.
int dk_winograd_fits(const dk_conv *c, int kind) {
  if (!dk_has_products() || c->groups != 1 || c->kernel[0] > most_depth) return 0;
  if (c->in_channels % width || c->out_channels % width) return 0;
  for (int a = 1; a < 3; ++a)
    if (c->kernel[a] != 3 || c->stride[a] != 1 || c->dilation[a] != 1) return 0;
  const int64_t *out = kind == dk_conv_kind_input ? c->in : c->out;
  const int64_t tiles = c->batch * out[0] * ceiling(out[1], 2) * ceiling(out[2], 2), per_word = dk_bfloat16() ? 2 : 1;
  if (tiles < least_tiles) return 0;
  switch (kind) {
    case dk_conv_kind_forward: return dk_row_tiles(dk_bfloat16(), c->in_channels / per_word) != 0;
    case dk_conv_kind_weights: return dk_winograd_weights_fit(c);
    default:
      if (c->stride[0] != 1) return 0;
      for (int a = 0; a < 3; ++a)
        if (c->pad_low[a] > (c->kernel[a] - 1) * c->dilation[a]) return 0;
      return dk_row_tiles(dk_bfloat16(), c->out_channels / per_word) != 0;
  }
}

int dk_winograd_forward(const dk_conv *c, const float *x, const float *w, const float *bias, float *y) {
  plan p = {.w = dk_winograd_of(c), .x = x, .bias = bias, .weights = dk_weights_by_tap(c, w), .y = y};
  return run(&p);
}

int dk_winograd_backward_input(const dk_conv *c, const float *w, const float *dy, float *dx) {
  dk_conv mirrored = *c;
  (mirrored.in_channels = c->out_channels, mirrored.out_channels = c->in_channels);
  memcpy(mirrored.in, c->out, sizeof mirrored.in);
  memcpy(mirrored.out, c->in, sizeof mirrored.out);
  for (int a = 0; a < 3; ++a) mirrored.pad_low[a] = (c->kernel[a] - 1) * c->dilation[a] - c->pad_low[a];
  plan p = {.w = dk_winograd_of(&mirrored), .x = dy, .weights = dk_weights_by_tap(c, w), .y = dx, .is_gradient = 1};
  return run(&p);
}
#else
int dk_winograd_fits(const dk_conv *c, int kind) { return (void)c, (void)kind, 0; }
int dk_winograd_forward(const dk_conv *c, const float *x, const float *w, const float *bias, float *y) {
  return (void)c, (void)x, (void)w, (void)bias, (void)y, 1;
}
int dk_winograd_backward_input(const dk_conv *c, const float *w, const float *dy, float *dx) {
  return (void)c, (void)w, (void)dy, (void)dx, 1;
}
#endif
