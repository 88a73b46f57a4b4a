// Depthwise convolution, one filter a channel. oneDNN 2.6 is slow here in plain channels-last (its weights gradient
// most), so each unit of work copies sixteen channels of one sample into a zero-padded block with the channels
// together; after that no loop has an edge, and every inner loop is one load and one multiply-add a tap.
#include "dk_convolution_parts.h"
#include "dk_parallel.h"
#include "dnnl_engine.h"
#include "dk_lanes.h"
#include <stdlib.h>

typedef struct {
  const dk_conv *conv;
  const float *x, *w, *bias, *dy;
  float *y, *dx, *partial;
} work;

typedef struct {
  int64_t size[3];  // of the padded input, as far as taps reach
  int64_t step[3];  // vectors from one position to the next along an axis
  int64_t pixels;
} block;

static block block_make(const int64_t size[3]) {
  block b = {{size[0], size[1], size[2]}, {size[1] * size[2], size[2], 1}, size[0] * size[1] * size[2]};
  return b;
}

static block padded_block(const dk_conv *c) {
  int64_t size[3];
  for (int a = 0; a < 3; ++a) {
    const int64_t reach = (c->out[a] - 1) * c->stride[a] + (c->kernel[a] - 1) * c->dilation[a] + 1;
    const int64_t all = c->in[a] + c->pad_low[a];
    size[a] = reach > all ? reach : all;  // a stride may leave the last inputs unread
  }
  return block_make(size);
}

static int64_t tap_count(const dk_conv *c) { return c->kernel[0] * c->kernel[1] * c->kernel[2]; }

// Where each tap lies, in vectors from the first.
static void tap_offsets(const dk_conv *c, const block *b, int64_t *offsets) {
  for (int64_t d = 0, t = 0; d < c->kernel[0]; ++d)
    for (int64_t h = 0; h < c->kernel[1]; ++h)
      for (int64_t w = 0; w < c->kernel[2]; ++w, ++t)
        offsets[t] =
          d * c->dilation[0] * b->step[0] + h * c->dilation[1] * b->step[1] + w * c->dilation[2] * b->step[2];
}

// Copies [size][channels] to the middle of a block, or back.
DK_INLINE void pack(
  lanes *to, const block *b, const float *from, const int64_t size[3], const int64_t low[3], int64_t channels,
  int count) {
  memset(to, 0, (size_t)b->pixels * sizeof(lanes));
  for (int64_t d = 0; d < size[0]; ++d)
    for (int64_t h = 0; h < size[1]; ++h) {
      lanes *row = to + (d + low[0]) * b->step[0] + (h + low[1]) * b->step[1] + low[2];
      const float *p = from + (d * size[1] + h) * size[2] * channels;
      for (int64_t w = 0; w < size[2]; ++w) lanes_load(row + w, p + w * channels, count);
    }
}

DK_INLINE void load_taps(lanes *taps, const float *w, int64_t count, int channels, int flipped) {
  memset(taps, 0, (size_t)count * sizeof(lanes));
  for (int c = 0; c < channels; ++c)
    for (int64_t t = 0; t < count; ++t) ((float *)(taps + (flipped ? count - 1 - t : t)))[c] = w[c * count + t];
}

// Outputs of one row, `block_width` at a time: each tap's weight is loaded once for all of them.
DK_INLINE void row_of_outputs(
  float *y, const lanes *x, const lanes *taps, const int64_t *offsets, int64_t tap_total, int64_t outputs,
  int64_t stride, const lanes *start, int64_t channels, int count) {
  enum { block_width = 8 };
  int64_t o = 0;
  for (; o + block_width <= outputs; o += block_width) {
    lanes sum[block_width];
    for (int j = 0; j < block_width; ++j) sum[j] = *start;
    const lanes *base = x + o * stride;
    for (int64_t t = 0; t < tap_total; ++t) {
      const lanes weight = taps[t];
      const lanes *p = base + offsets[t];
      for (int j = 0; j < block_width; ++j) sum[j] += p[j * stride] * weight;
    }
    for (int j = 0; j < block_width; ++j) lanes_store(y + (o + j) * channels, &sum[j], count);
  }
  for (; o < outputs; ++o) {
    lanes even = *start, odd = 0;
    const lanes *base = x + o * stride;
    int64_t t = 0;
    for (; t + 2 <= tap_total; t += 2) {
      even += base[offsets[t]] * taps[t];
      odd += base[offsets[t + 1]] * taps[t + 1];
    }
    if (t < tap_total) even += base[offsets[t]] * taps[t];
    even += odd;
    lanes_store(y + o * channels, &even, count);
  }
}

static int64_t chunk_count(const dk_conv *c) { return (c->in_channels + dk_lanes - 1) / dk_lanes; }

// Units are (sample, sixteen channels).
DK_CLONES static void forward_units(void *context, size_t begin, size_t end) {
  const work *job = context;
  const dk_conv *c = job->conv;
  const block b = padded_block(c);
  const int64_t taps = tap_count(c), chunks = chunk_count(c), C = c->in_channels;
  const int64_t in_pixels = c->in[0] * c->in[1] * c->in[2], out_pixels = c->out[0] * c->out[1] * c->out[2];
  lanes *packed = dk_scratch((size_t)(b.pixels + taps) * sizeof(lanes) + (size_t)taps * sizeof(int64_t));
  if (!packed) abort();
  lanes *weights = packed + b.pixels;
  int64_t *offsets = (int64_t *)(weights + taps);
  tap_offsets(c, &b, offsets);
  for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
    const int64_t n = unit / chunks, c0 = unit % chunks * dk_lanes;
    const int count = C - c0 < dk_lanes ? (int)(C - c0) : dk_lanes;
    lanes start = 0;
    if (job->bias) lanes_load(&start, job->bias + c0, count);
    load_taps(weights, job->w + c0 * taps, taps, count, 0);
    pack(packed, &b, job->x + n * in_pixels * C + c0, c->in, c->pad_low, C, count);
    float *y = job->y + n * out_pixels * C + c0;
    for (int64_t d = 0; d < c->out[0]; ++d)
      for (int64_t h = 0; h < c->out[1]; ++h) {
        const lanes *row = packed + d * c->stride[0] * b.step[0] + h * c->stride[1] * b.step[1];
        float *out = y + (d * c->out[1] + h) * c->out[2] * C;
        if (count == dk_lanes && c->stride[2] == 1)
          row_of_outputs(out, row, weights, offsets, taps, c->out[2], 1, &start, C, dk_lanes);
        else
          row_of_outputs(out, row, weights, offsets, taps, c->out[2], c->stride[2], &start, C, count);
      }
  }
}

int dk_depthwise_forward(const dk_conv *conv, const float *x, const float *w, const float *bias, float *y) {
  work job = {.conv = conv, .x = x, .w = w, .bias = bias, .y = y};
  dk_parallel((size_t)(conv->batch * chunk_count(conv)), 1, 1, &job, forward_units);
  return 0;
}

// With stride 1 the input's gradient is the same convolution of dy with the taps in reverse order.
static int mirrors(const dk_conv *c, dk_conv *mirror) {
  int64_t low[3], high[3];
  for (int a = 0; a < 3; ++a) {
    const int64_t reach = (c->kernel[a] - 1) * c->dilation[a];
    low[a] = reach - c->pad_low[a];
    high[a] = c->in[a] - 1 + reach - low[a] - (c->out[a] - 1);
    if (c->stride[a] != 1 || low[a] < 0 || high[a] < 0) return 0;
  }
  return dk_conv_make(
    mirror, 3, c->batch, c->in_channels, c->in_channels, c->groups, c->out, c->kernel, c->stride, c->dilation, low,
    high);
}

// Strided: every dy is spread over the inputs that it came from.
DK_CLONES static void spread_units(void *context, size_t begin, size_t end) {
  const work *job = context;
  const dk_conv *c = job->conv;
  const block b = padded_block(c);
  const int64_t taps = tap_count(c), chunks = chunk_count(c), C = c->in_channels;
  const int64_t in_pixels = c->in[0] * c->in[1] * c->in[2], out_pixels = c->out[0] * c->out[1] * c->out[2];
  lanes *packed = dk_scratch((size_t)(b.pixels + taps) * sizeof(lanes) + (size_t)taps * sizeof(int64_t));
  if (!packed) abort();
  lanes *weights = packed + b.pixels;
  int64_t *offsets = (int64_t *)(weights + taps);
  tap_offsets(c, &b, offsets);
  for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
    const int64_t n = unit / chunks, c0 = unit % chunks * dk_lanes;
    const int count = C - c0 < dk_lanes ? (int)(C - c0) : dk_lanes;
    load_taps(weights, job->w + c0 * taps, taps, count, 0);
    memset(packed, 0, (size_t)b.pixels * sizeof(lanes));
    const float *dy = job->dy + n * out_pixels * C + c0;
    for (int64_t d = 0; d < c->out[0]; ++d)
      for (int64_t h = 0; h < c->out[1]; ++h)
        for (int64_t w = 0; w < c->out[2]; ++w, dy += C) {
          lanes gradient;
          lanes_load(&gradient, dy, count);
          lanes *p = packed + d * c->stride[0] * b.step[0] + h * c->stride[1] * b.step[1] + w * c->stride[2];
          for (int64_t t = 0; t < taps; ++t) p[offsets[t]] += gradient * weights[t];
        }
    float *dx = job->dx + n * in_pixels * C + c0;
    for (int64_t d = 0; d < c->in[0]; ++d)
      for (int64_t h = 0; h < c->in[1]; ++h) {
        const lanes *row =
          packed + (d + c->pad_low[0]) * b.step[0] + (h + c->pad_low[1]) * b.step[1] + c->pad_low[2];
        for (int64_t w = 0; w < c->in[2]; ++w, dx += C) lanes_store(dx, row + w, count);
      }
  }
}


int dk_depthwise_backward_input(const dk_conv *conv, const float *w, const float *dy, float *dx) {
  dk_conv mirror;
  if (mirrors(conv, &mirror)) {
    const int64_t taps = tap_count(conv);
    float *flipped = malloc((size_t)(conv->in_channels * taps) * sizeof(float));
    if (!flipped) return 1;
    for (int64_t c = 0; c < conv->in_channels; ++c)
      for (int64_t t = 0; t < taps; ++t) flipped[c * taps + t] = w[c * taps + taps - 1 - t];
    const int status = dk_depthwise_forward(&mirror, dy, flipped, NULL, dx);
    free(flipped);
    return status;
  }
  work job = {.conv = conv, .w = w, .dy = dy, .dx = dx};
  dk_parallel((size_t)(conv->batch * chunk_count(conv)), 1, 1, &job, spread_units);
  return 0;
}

// Sums of x * dy for `taps` taps over all outputs of one block.
DK_INLINE void sum_taps(
  lanes *sums, const lanes *x, const lanes *dy, const dk_conv *c, const block *b, const int64_t *offsets,
  const int taps) {
  lanes sum[9];
  for (int t = 0; t < taps; ++t) sum[t] = 0;
  for (int64_t d = 0; d < c->out[0]; ++d)
    for (int64_t h = 0; h < c->out[1]; ++h) {
      const lanes *row = x + d * c->stride[0] * b->step[0] + h * c->stride[1] * b->step[1];
      for (int64_t w = 0; w < c->out[2]; ++w) {
        const lanes gradient = *dy++;
        const lanes *p = row + w * c->stride[2];
        for (int t = 0; t < taps; ++t) sum[t] += p[offsets[t]] * gradient;
      }
    }
  for (int t = 0; t < taps; ++t) sums[t] = sum[t];
}

DK_INLINE void sum_taps_of(
  lanes *sums, const lanes *x, const lanes *dy, const dk_conv *c, const block *b, const int64_t *offsets, int taps) {
  switch (taps) {
    case 1: sum_taps(sums, x, dy, c, b, offsets, 1); break;
    case 2: sum_taps(sums, x, dy, c, b, offsets, 2); break;
    case 3: sum_taps(sums, x, dy, c, b, offsets, 3); break;
    case 4: sum_taps(sums, x, dy, c, b, offsets, 4); break;
    case 5: sum_taps(sums, x, dy, c, b, offsets, 5); break;
    case 6: sum_taps(sums, x, dy, c, b, offsets, 6); break;
    case 7: sum_taps(sums, x, dy, c, b, offsets, 7); break;
    case 8: sum_taps(sums, x, dy, c, b, offsets, 8); break;
    default: sum_taps(sums, x, dy, c, b, offsets, 9); break;
  }
}

// Taps a round: as even as can be, so that 49 taps make 7 rounds of 7 and 9 taps one.
static int64_t taps_a_round(int64_t taps) {
  int64_t best = 1, least = INT64_MAX;
  for (int64_t size = 9; size >= 1; --size) {
    const int64_t rounds = (taps + size - 1) / size, cost = rounds * (size + 1);
    if (cost < least) {
      least = cost;
      best = size;
    }
  }
  return best;
}

// A unit writes its own sums (taps, then the sum of dy), so that no order of threads changes a bit.
DK_CLONES static void weight_units(void *context, size_t begin, size_t end) {
  const work *job = context;
  const dk_conv *c = job->conv;
  const block b = padded_block(c), outputs = block_make(c->out);
  const int64_t taps = tap_count(c), chunks = chunk_count(c), C = c->in_channels, round = taps_a_round(taps);
  const int64_t in_pixels = c->in[0] * c->in[1] * c->in[2];
  const int64_t none[3] = {0, 0, 0};
  lanes *packed = dk_scratch((size_t)(b.pixels + outputs.pixels) * sizeof(lanes) + (size_t)taps * sizeof(int64_t));
  if (!packed) abort();
  lanes *gradients = packed + b.pixels;
  int64_t *offsets = (int64_t *)(gradients + outputs.pixels);
  tap_offsets(c, &b, offsets);
  for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
    const int64_t n = unit / chunks, c0 = unit % chunks * dk_lanes;
    const int count = C - c0 < dk_lanes ? (int)(C - c0) : dk_lanes;
    pack(packed, &b, job->x + n * in_pixels * C + c0, c->in, c->pad_low, C, count);
    pack(gradients, &outputs, job->dy + n * outputs.pixels * C + c0, c->out, none, C, count);
    lanes *sums = (lanes *)job->partial + unit * (taps + 1);
    for (int64_t t = 0; t < taps; t += round)
      sum_taps_of(sums + t, packed, gradients, c, &b, offsets + t, (int)(taps - t < round ? taps - t : round));
    lanes total = 0;
    for (int64_t i = 0; i < outputs.pixels; ++i) total += gradients[i];
    sums[taps] = total;
  }
}

int dk_depthwise_backward_weights(const dk_conv *conv, const float *x, const float *dy, float *dw, float *dbias) {
  const int64_t chunks = chunk_count(conv), units = conv->batch * chunks, taps = tap_count(conv);
  float *partial;
  if (posix_memalign((void **)&partial, 64, (size_t)(units * (taps + 1)) * sizeof(lanes)) != 0) return 1;
  work job = {.conv = conv, .x = x, .dy = dy, .partial = partial};
  dk_parallel((size_t)units, 1, 1, &job, weight_units);
  for (int64_t channel = 0; channel < conv->in_channels; ++channel)
    for (int64_t t = 0; t <= taps; ++t) {
      const float *p = partial + (channel / dk_lanes * (taps + 1) + t) * dk_lanes + channel % dk_lanes;
      float sum = 0;
      for (int64_t n = 0; n < conv->batch; ++n) sum += p[n * chunks * (taps + 1) * dk_lanes];
      if (t < taps)
        dw[channel * taps + t] = sum;
      else if (dbias)
        dbias[channel] = sum;
    }
  free(partial);
  return 0;
}
