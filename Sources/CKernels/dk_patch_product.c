// Convolutions as products of our own, without a copy of the patches: while a block of an operand is packed, its numbers
// are fetched from where the windows lie. Forward: pixels × (tap, channel) times weights. The input's gradient: for each
// residue of a position under the strides, the taps that reach it, over dy. The weights' gradient: dyᵀ times patches.
#include "dk_convolution_parts.h"
#include "dk_copy.h"
#include "dk_elementwise.h"
#include "dk_product.h"
#include "dnnl_engine.h"

#include <stdlib.h>
#include <string.h>

enum { most_taps = 4096 };

// Where the windows of one group read: runs of `length` adjacent floats, one a tap (or one a row of taps, where these
// are adjacent in memory).
typedef struct {
  const float *x;              // first channel of the group
  int64_t size[3], pixels;     // of the tensor that is read
  int64_t channels;            // floats from one pixel to the next
  int64_t out[3];              // positions of the windows
  int64_t stride[3], low[3];   // a window at `o` begins at o * stride - low
  int64_t runs, length;
  const int64_t (*steps)[3];   // of every run, from the window's beginning
} patches;

typedef struct {
  int64_t n, o[3];
} place;

static place place_of(const patches *p, int64_t line) {
  place at;
  at.o[2] = line % p->out[2];
  line /= p->out[2];
  at.o[1] = line % p->out[1];
  line /= p->out[1];
  at.o[0] = line % p->out[0];
  at.n = line / p->out[0];
  return at;
}

static void advance(const patches *p, place *at) {
  if (++at->o[2] < p->out[2]) return;
  at->o[2] = 0;
  if (++at->o[1] < p->out[1]) return;
  at->o[1] = 0;
  if (++at->o[0] < p->out[0]) return;
  at->o[0] = 0;
  ++at->n;
}

// Where a run of a window begins; null outside the tensor. A merged run lies inside along its row.
static const float *run_start(const patches *p, const place *at, const int64_t step[3]) {
  const int64_t d = at->o[0] * p->stride[0] - p->low[0] + step[0], h = at->o[1] * p->stride[1] - p->low[1] + step[1],
                w = at->o[2] * p->stride[2] - p->low[2] + step[2];
  if ((uint64_t)d >= (uint64_t)p->size[0] || (uint64_t)h >= (uint64_t)p->size[1] || (uint64_t)w >= (uint64_t)p->size[2])
    return 0;
  return p->x + (at->n * p->pixels + (d * p->size[1] + h) * p->size[2] + w) * p->channels;
}

// Lines are windows, terms run over (run, place in the run).
static void pack_windows(
  const dk_source *s, int64_t first, int count, int pitch, int64_t from, int64_t terms, int bfloat16, float *to) {
  const patches *p = s->context;
  place at[dk_tile_width];
  at[0] = place_of(p, first);
  for (int i = 1; i < count; ++i) {
    at[i] = at[i - 1];
    advance(p, &at[i]);
  }
  int64_t run = from / p->length, offset = from % p->length;
  while (terms > 0) {
    const int64_t some = p->length - offset < terms ? p->length - offset : terms;
    const float *starts[dk_tile_width];
    for (int i = 0; i < count; ++i) {
      const float *start = run_start(p, &at[i], p->steps[run]);
      starts[i] = start ? start + offset : 0;
    }
    dk_pack_lines(starts, count, pitch, some, bfloat16, to);
    to += (bfloat16 ? some / 2 : some) * pitch;
    terms -= some;
    offset = 0;
    ++run;
  }
}

// Lines are (run, place in the run), terms run over windows.
static void pack_taps(
  const dk_source *s, int64_t first, int count, int pitch, int64_t from, int64_t terms, int bfloat16, float *to) {
  const patches *p = s->context;
  const float *starts[1024];
  for (int done = 0; done < count;) {
    const int64_t run = (first + done) / p->length, offset = (first + done) % p->length;
    const int some = p->length - offset < count - done ? (int)(p->length - offset) : count - done;
    for (int64_t block = 0; block < terms; block += 1024) {
      const int64_t length = terms - block < 1024 ? terms - block : 1024;
      place at = place_of(p, from + block);
      for (int64_t t = 0; t < length; ++t) {
        const float *start = run_start(p, &at, p->steps[run]);
        starts[t] = start ? start + offset : 0;
        advance(p, &at);
      }
      dk_pack_terms(starts, some, pitch, length, bfloat16, to + done + (bfloat16 ? block / 2 : block) * pitch);
    }
    done += some;
  }
}

// Weights [out][tap][in]: lines are channels in, terms (tap of a list, channel out).
typedef struct {
  const float *w;
  const int64_t *taps;
  int64_t outputs, out_step, tap_step;
} tap_weights;

static void pack_weights(
  const dk_source *s, int64_t first, int count, int pitch, int64_t from, int64_t terms, int bfloat16, float *to) {
  const tap_weights *t = s->context;
  const float *starts[1024];
  for (int64_t block = 0; block < terms; block += 1024) {
    const int64_t length = terms - block < 1024 ? terms - block : 1024;
    for (int64_t i = 0; i < length; ++i) {
      const int64_t term = from + block + i;
      starts[i] = t->w + term % t->outputs * t->out_step + t->taps[term / t->outputs] * t->tap_step + first;
    }
    dk_pack_terms(starts, count, pitch, length, bfloat16, to + (bfloat16 ? block / 2 : block) * pitch);
  }
}

static int64_t tap_count(const dk_conv *c) { return c->kernel[0] * c->kernel[1] * c->kernel[2]; }

const float *dk_weights_by_tap(const dk_conv *c, const float *w) {
  const int64_t inner = c->in_channels / c->groups, taps = tap_count(c);
  if (taps == 1 || inner == 1) return w;
  float *to = dk_scratch_of(dk_scratch_weights, (size_t)(c->out_channels * inner * taps) * sizeof(float));
  if (!to) abort();
  const int64_t shape[3] = {c->out_channels, taps, inner}, from[3] = {inner * taps, 1, taps},
                dense[3] = {inner * taps, inner, 1};
  dk_copy_strided(3, shape, w, from, to, dense, sizeof(float));
  return to;
}

void dk_weights_by_channel(const dk_conv *c, const float *sums, float *dw) {
  const int64_t inner = c->in_channels / c->groups, taps = tap_count(c);
  const int64_t shape[3] = {c->out_channels, inner, taps}, from[3] = {inner * taps, 1, inner},
                dense[3] = {inner * taps, taps, 1};
  dk_copy_strided(3, shape, sums, from, dw, dense, sizeof(float));
}

// The windows of a convolution over `x`. With few channels the input is copied once with its padding, so that a row of
// taps is one run.
static patches patches_of(const dk_conv *c, const float *x, int64_t (*steps)[3]) {
  const int64_t inner = c->in_channels / c->groups;
  patches p = {.x = x, .channels = c->in_channels, .steps = (const int64_t(*)[3])steps};
  for (int a = 0; a < 3; ++a) {
    p.size[a] = c->in[a];
    p.out[a] = c->out[a];
    p.stride[a] = c->stride[a];
    p.low[a] = c->pad_low[a];
  }
  p.pixels = p.size[0] * p.size[1] * p.size[2];
  const int adjacent = c->groups == 1 && c->dilation[2] == 1 && c->kernel[2] > 1;
  const int64_t reach = (c->out[2] - 1) * c->stride[2] + c->kernel[2];
  if (adjacent && inner % 16 != 0 && (c->pad_low[2] > 0 || reach > c->in[2])) {
    const int64_t width = reach > c->pad_low[2] + c->in[2] ? reach : c->pad_low[2] + c->in[2];
    const int64_t rows = c->batch * c->in[0] * c->in[1];
    float *copy = dk_scratch_of(dk_scratch_lines, (size_t)(rows * width * inner) * sizeof(float));
    if (!copy) abort();
    for (int64_t r = 0; r < rows; ++r) {
      float *to = copy + r * width * inner;
      memset(to, 0, (size_t)(c->pad_low[2] * inner) * sizeof(float));
      memcpy(to + c->pad_low[2] * inner, x + r * c->in[2] * inner, (size_t)(c->in[2] * inner) * sizeof(float));
      const int64_t end = c->pad_low[2] + c->in[2];
      memset(to + end * inner, 0, (size_t)((width - end) * inner) * sizeof(float));
    }
    p.x = copy;
    p.size[2] = width;
    p.pixels = p.size[0] * p.size[1] * width;
    p.low[2] = 0;
  }
  const int merged = adjacent && p.low[2] == 0 && reach <= p.size[2];
  p.length = merged ? inner * c->kernel[2] : inner;
  for (int64_t d = 0; d < c->kernel[0]; ++d)
    for (int64_t h = 0; h < c->kernel[1]; ++h)
      for (int64_t w = 0; w < (merged ? 1 : c->kernel[2]); ++w, ++p.runs) {
        steps[p.runs][0] = d * c->dilation[0];
        steps[p.runs][1] = h * c->dilation[1];
        steps[p.runs][2] = w * c->dilation[2];
      }
  return p;
}

// Whether windows are rows of the input as it lies: one tap, no stride.
static int is_pointwise(const dk_conv *c) {
  for (int a = 0; a < 3; ++a)
    if (c->kernel[a] != 1 || c->stride[a] != 1 || c->pad_low[a] || c->pad_high[a]) return 0;
  return 1;
}

static int64_t positions(const int64_t size[3]) { return size[0] * size[1] * size[2]; }

int dk_has_patch_product(const dk_conv *c) { return dk_has_products() && tap_count(c) <= most_taps; }

int dk_patch_forward(const dk_conv *c, const float *x, const float *w, const float *bias, float *y) {
  const int64_t inner = c->in_channels / c->groups, outer = c->out_channels / c->groups, taps = tap_count(c);
  int64_t(*steps)[3] = malloc((size_t)taps * sizeof *steps);
  if (!steps) return 1;
  const float *weights = dk_weights_by_tap(c, w);
  const patches windows = patches_of(c, x, steps);
  for (int64_t g = 0; g < c->groups; ++g) {
    patches of_group = windows;
    of_group.x += g * inner;
    const dk_after after = {.bias = bias ? bias + g * outer : 0};
    const dk_source strided = dk_strided_source(of_group.x, windows.channels, 1);
    const dk_source gathered = {.pack = pack_windows, .context = &of_group, .bytes_of_work = 2};
    const dk_product product = {
      .m = c->batch * positions(c->out), .n = outer, .k = inner * taps, .alpha = 1, .c = y + g * outer,
      .stride = c->out_channels, .bfloat16 = dk_bfloat16() && windows.length % 2 == 0, .after = bias ? &after : 0,
      .a = is_pointwise(c) ? strided : gathered,
      .b = dk_strided_source(weights + g * outer * inner * taps, inner * taps, 1)};
    dk_product_run(&product);
  }
  free(steps);
  return 0;
}

int dk_patch_backward_weights(const dk_conv *c, const float *x, const float *dy, float *dw, float *dbias) {
  const int64_t inner = c->in_channels / c->groups, outer = c->out_channels / c->groups, taps = tap_count(c);
  const int64_t pixels = c->batch * positions(c->out);
  int64_t(*steps)[3] = malloc((size_t)taps * sizeof *steps);
  if (!steps) return 1;
  const int direct = taps == 1 || inner == 1;
  float *sums = direct ? dw : dk_scratch_of(dk_scratch_weights, (size_t)(c->out_channels * inner * taps) * sizeof(float));
  if (!sums) abort();
  const patches windows = patches_of(c, x, steps);
  for (int64_t g = 0; g < c->groups; ++g) {
    patches of_group = windows;
    of_group.x += g * inner;
    const dk_source strided = dk_strided_source(of_group.x, 1, windows.channels);
    const dk_source gathered = {.pack = pack_taps, .context = &of_group, .bytes_of_work = 2};
    const dk_product product = {
      .m = outer, .n = inner * taps, .k = pixels, .alpha = 1, .c = sums + g * outer * inner * taps,
      .stride = inner * taps, .bfloat16 = dk_bfloat16(), .a = dk_strided_source(dy + g * outer, 1, c->out_channels),
      .b = is_pointwise(c) ? strided : gathered};
    dk_product_run(&product);
  }
  if (!direct) dk_weights_by_channel(c, sums, dw);
  if (dbias) dk_sum_rows(dy, dbias, (size_t)pixels, (size_t)c->out_channels);
  free(steps);
  return 0;
}

// The taps that reach positions of residue `r` along an axis, and where they read dy for the first of these positions.
static int64_t taps_of_residue(const dk_conv *c, int axis, int64_t r, int64_t *taps, int64_t *steps) {
  int64_t count = 0;
  for (int64_t t = 0; t < c->kernel[axis]; ++t) {
    const int64_t at = r + c->pad_low[axis] - t * c->dilation[axis];
    if (at % c->stride[axis] != 0) continue;
    taps[count] = t;
    steps[count++] = at / c->stride[axis];
  }
  return count;
}

// One residue class: its positions, the list of taps, where they read dy.
typedef struct {
  int64_t size[3], first[3], taps;
  int64_t *tap, (*steps)[3];
} residue;

static void residue_of(const dk_conv *c, int64_t index, residue *class) {
  const int64_t r[3] = {
    index / (c->stride[1] * c->stride[2]), index / c->stride[2] % c->stride[1], index % c->stride[2]};
  int64_t *taps[3], *steps[3], count[3];
  int64_t *lists = malloc((size_t)(2 * (c->kernel[0] + c->kernel[1] + c->kernel[2])) * sizeof(int64_t));
  if (!lists) abort();
  int64_t *next = lists;
  for (int a = 0; a < 3; ++a) {
    class->first[a] = r[a];
    class->size[a] = r[a] < c->in[a] ? (c->in[a] - r[a] + c->stride[a] - 1) / c->stride[a] : 0;
    taps[a] = next;
    steps[a] = next + c->kernel[a];
    next += 2 * c->kernel[a];
    count[a] = taps_of_residue(c, a, r[a], taps[a], steps[a]);
  }
  class->taps = 0;
  for (int64_t d = 0; d < count[0]; ++d)
    for (int64_t h = 0; h < count[1]; ++h)
      for (int64_t w = 0; w < count[2]; ++w, ++class->taps) {
        class->tap[class->taps] = (taps[0][d] * c->kernel[1] + taps[1][h]) * c->kernel[2] + taps[2][w];
        class->steps[class->taps][0] = steps[0][d];
        class->steps[class->taps][1] = steps[1][h];
        class->steps[class->taps][2] = steps[2][w];
      }
  free(lists);
}

// Offsets of a class's positions in dx; null where they lie as in a matrix.
static int64_t *rows_of(const dk_conv *c, const residue *class) {
  const int64_t count = c->batch * positions(class->size);
  if (c->stride[0] == 1 && c->stride[1] == 1 && c->stride[2] == 1) return 0;
  int64_t *rows = dk_scratch_of(dk_scratch_lines, (size_t)count * sizeof(int64_t));
  if (!rows) abort();
  int64_t *to = rows;
  for (int64_t n = 0; n < c->batch; ++n)
    for (int64_t d = 0; d < class->size[0]; ++d)
      for (int64_t h = 0; h < class->size[1]; ++h)
        for (int64_t w = 0; w < class->size[2]; ++w)
          *to++ = (((n * c->in[0] + class->first[0] + d * c->stride[0]) * c->in[1] + class->first[1] + h * c->stride[1])
                     * c->in[2]
                   + class->first[2] + w * c->stride[2])
            * c->in_channels;
  return rows;
}

int dk_patch_backward_input(const dk_conv *c, const float *w, const float *dy, float *dx) {
  const int64_t inner = c->in_channels / c->groups, outer = c->out_channels / c->groups, taps = tap_count(c);
  const int64_t classes = c->stride[0] * c->stride[1] * c->stride[2];
  residue class = {.tap = malloc((size_t)taps * sizeof(int64_t)), .steps = malloc((size_t)taps * sizeof(int64_t[3]))};
  if (!class.tap || !class.steps) abort();
  const float *weights = dk_weights_by_tap(c, w);
  for (int64_t index = 0; index < classes; ++index) {
    residue_of(c, index, &class);
    const int64_t lines = c->batch * positions(class.size);
    if (lines == 0) continue;
    const int64_t *rows = rows_of(c, &class);
    if (class.taps == 0) {
      for (int64_t i = 0; i < lines; ++i)
        memset(dx + (rows ? rows[i] : i * c->in_channels), 0, (size_t)c->in_channels * sizeof(float));
      continue;
    }
    for (int64_t g = 0; g < c->groups; ++g) {
      patches windows = {
        .x = dy + g * outer, .channels = c->out_channels, .runs = class.taps, .length = outer,
        .steps = (const int64_t(*)[3])class.steps, .pixels = positions(c->out)};
      for (int a = 0; a < 3; ++a) {
        windows.size[a] = c->out[a];
        windows.out[a] = class.size[a];
        windows.stride[a] = 1;
      }
      const tap_weights of_group = {
        weights + g * outer * inner * taps, class.tap, outer, inner * taps, inner};
      const dk_source strided = dk_strided_source(dy + g * outer, c->out_channels, 1);
      const dk_source gathered = {.pack = pack_windows, .context = &windows, .bytes_of_work = 2};
      const dk_product product = {
        .m = lines, .n = inner, .k = class.taps * outer, .alpha = 1, .c = dx + g * inner, .stride = c->in_channels,
        .rows = rows, .bfloat16 = dk_bfloat16() && outer % 2 == 0, .a = is_pointwise(c) ? strided : gathered,
        .b = {.pack = pack_weights, .context = &of_group, .bytes_of_work = 1}};
      dk_product_run(&product);
    }
  }
  free(class.tap);
  free(class.steps);
  return 0;
}
