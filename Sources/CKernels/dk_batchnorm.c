#include "dk_activation.h"
#include "dk_batchnorm.h"
#include "dk_parallel.h"
#include <stdlib.h>

typedef struct {
  int64_t rows, channels, block_rows, height, width;
  dk_after_norm after;
  const float *x, *dy, *mean, *scale, *shift, *slope, *offset;
  const uint8_t *winner;
  const float *centred;
  float *y, *dx, *partial, *centred_out;
  uint8_t *winner_out;
  const uint16_t *halves;  // x - mean as bfloat16, in x's place
  uint16_t *halves_out;
} work;

// Where x - mean comes from: x; x, rounded to bfloat16 (and kept, if anywhere); or what was kept.
enum { of_floats, of_rounded, of_halves };

// A block is about 64 KiB: its second pass finds it in the cache.
static int64_t rows_a_block(int64_t channels) {
  const int64_t rows = 16384 / channels;
  return rows < 16 ? 16 : rows;
}

static int64_t block_count(const work *job) { return (job->rows + job->block_rows - 1) / job->block_rows; }

static void *allocate(int64_t floats) {
  void *p = NULL;
  if (posix_memalign(&p, 64, (size_t)(floats > 0 ? floats : 1) * sizeof(float)) != 0) abort();
  return p;
}

// Runs a pass over blocks of rows whose two sums a channel go to `job->partial` [blocks][2][channels].
static void run_blocks(work *job, dk_body body) { dk_parallel((size_t)(block_count(job)), 4, 1, job, body); }

// Calls `body` for every sixteen channels of a row, from `c`, `count` being 16 but for the last.
#define DK_EACH_CHANNELS(C, body) \
  for (int64_t c = 0; c < (C); c += dk_lanes) DK_WITH_COUNT(C, c, body)

// Passes go over rows as they lie in memory, four at a time, and sums wait in the first-level cache: columns of channels
// would touch one line a row, which no processor fetches ahead.

// Of longer rows, one at a time: four far apart are too many for the processor to fetch ahead.
enum { most_together = 96 };

// Adds four rows' (or one row's) distances from the pivot.
DK_INLINE void add_rows(const float *x, int64_t stride, const int rows, const float *pivot, float *sums, const int count) {
  lanes v[4], origin, sum;
  lanes_load(&origin, pivot, count);
  lanes_load(&sum, sums, count);
  for (int j = 0; j < rows; ++j) {
    lanes_load(&v[j], x + j * stride, count);
    v[j] -= origin;
  }
  sum += rows == 4 ? (v[0] + v[1]) + (v[2] + v[3]) : v[0];
  lanes_store(sums, &sum, count);
}

// Adds their squared distances from pivot and mean, and what rounding left of the mean.
DK_INLINE void add_deviations(
  const float *x, int64_t stride, const int rows, const float *pivot, const float *mean, float *squares, float *rest,
  const int count) {
  lanes v[4], origin, centre, square, left;
  lanes_load(&origin, pivot, count);
  lanes_load(&centre, mean, count);
  lanes_load(&square, squares, count);
  lanes_load(&left, rest, count);
  for (int j = 0; j < rows; ++j) {
    lanes_load(&v[j], x + j * stride, count);
    v[j] = v[j] - origin - centre;
  }
  square += rows == 4 ? (v[0] * v[0] + v[1] * v[1]) + (v[2] * v[2] + v[3] * v[3]) : v[0] * v[0];
  left += rows == 4 ? (v[0] + v[1]) + (v[2] + v[3]) : v[0];
  lanes_store(squares, &square, count);
  lanes_store(rest, &left, count);
}

// Mean and squared deviations of x - pivot; with a pivot among the values, differences keep their bits. What rounding
// left of the mean is summed in the second pass: a mean near 0 of values far from it keeps its bits too.
DK_CLONES static void statistics_blocks(void *context, size_t begin, size_t end) {
  const work *job = context;
  const int64_t C = job->channels;
  const float *pivot = job->x;
  for (int64_t b = (int64_t)begin; b < (int64_t)end; ++b) {
    const int64_t first = b * job->block_rows;
    const int64_t rows = job->rows - first < job->block_rows ? job->rows - first : job->block_rows;
    const float *x = job->x + first * C;
    float *mean = job->partial + b * 3 * C, *squares = mean + C, *rest = squares + C;
    memset(mean, 0, (size_t)(3 * C) * sizeof(float));
    int64_t r = 0;
    for (; r + 4 <= rows && C <= most_together; r += 4)
      DK_EACH_CHANNELS(C, add_rows(x + r * C + c, C, 4, pivot + c, mean + c, count));
    for (; r < rows; ++r) DK_EACH_CHANNELS(C, add_rows(x + r * C + c, C, 1, pivot + c, mean + c, count));
    for (int64_t c = 0; c < C; ++c) mean[c] /= (float)rows;
    for (r = 0; r + 4 <= rows; r += 4)
      DK_EACH_CHANNELS(
        C, add_deviations(x + r * C + c, C, 4, pivot + c, mean + c, squares + c, rest + c, count));
    for (; r < rows; ++r)
      DK_EACH_CHANNELS(
        C, add_deviations(x + r * C + c, C, 1, pivot + c, mean + c, squares + c, rest + c, count));
    for (int64_t c = 0; c < C; ++c) rest[c] /= (float)rows;
  }
}

void dk_bn_statistics(int64_t rows, int64_t channels, const float *x, float *mean, float *variance) {
  work job = {.rows = rows, .channels = channels, .block_rows = rows_a_block(channels), .x = x};
  const int64_t blocks = block_count(&job);
  job.partial = allocate(blocks * 3 * channels);
  run_blocks(&job, statistics_blocks);
  double *total = calloc((size_t)channels * 2, sizeof(double)), *squares = total + channels;
  if (!total) abort();
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t left = rows - b * job.block_rows;
    const double n = (double)(left < job.block_rows ? left : job.block_rows);
    const float *p = job.partial + b * 3 * channels;
    for (int64_t c = 0; c < channels; ++c) total[c] += n * ((double)p[c] + (double)p[2 * channels + c]);
  }
  for (int64_t c = 0; c < channels; ++c) total[c] /= (double)rows;
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t left = rows - b * job.block_rows;
    const double n = (double)(left < job.block_rows ? left : job.block_rows);
    const float *p = job.partial + b * 3 * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const double apart = (double)p[c] - total[c];
      squares[c] += (double)p[channels + c] + n * apart * apart;
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    mean[c] = (float)((double)x[c] + total[c]);
    variance[c] = (float)(squares[c] / (double)rows);
  }
  free(total);
  free(job.partial);
}

// v < 0 ? 0 : v lets NaN through, so that a broken step is seen in the loss.
DK_INLINE lanes rectified(lanes v) { return v < 0 ? (lanes)0 : v; }

// The gradient `g` behind an activation of `v`.
DK_INLINE void pass_activation(lanes *g, lanes *v, const dk_after_norm after) {
  lanes slope;
  if (after == dk_then_relu) *g = *v > 0 ? *g : (lanes)0;
  if (after == dk_then_silu) {
    silu_both(v, &slope);
    *g *= slope;
  }
}

typedef uint16_t half_lanes __attribute__((ext_vector_type(16)));
typedef half_lanes loose_half_lanes __attribute__((aligned(2)));
typedef uint32_t word_lanes __attribute__((ext_vector_type(16)));

DK_INLINE void halves_load(lanes *v, const uint16_t *p, const int count) {
  half_lanes halves = 0;
  if (count == dk_lanes)
    halves = *(const loose_half_lanes *)p;
  else
    memcpy(&halves, p, (size_t)count * sizeof *p);
  *v = (lanes)(__builtin_convertvector(halves, word_lanes) << 16);
}

// Rounds to nearest, ties to even; NaN stays NaN.
DK_INLINE void round_lanes(lanes *v) {
  const word_lanes bits = (word_lanes)*v;
  const word_lanes rounded = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000;
  *v = *v == *v ? (lanes)rounded : *v;
}

// Of rounded numbers.
DK_INLINE void halves_store(uint16_t *p, const lanes *v, const int count) {
  const half_lanes halves = __builtin_convertvector((word_lanes)*v >> 16, half_lanes);
  if (count == dk_lanes)
    *(loose_half_lanes *)p = halves;
  else
    memcpy(p, &halves, (size_t)count * sizeof *p);
}

// x - mean of the channels from `at`.
DK_INLINE void load_centred(
  const work *job, int64_t at, const lanes *mean, lanes *v, const int source, const int count) {
  if (source == of_halves) {
    halves_load(v, job->halves + at, count);
    return;
  }
  lanes_load(v, job->x + at, count);
  *v -= *mean;
  if (source == of_rounded) {
    round_lanes(v);
    if (job->halves_out) halves_store(job->halves_out + at, v, count);
  }
}

// Calls `name(job, begin, end, after, source)` with what follows the norm and where numbers come from as constants.
#define DK_DEFINE_SOURCE(name, source)                                                           \
  DK_CLONES static void name##_##source(void *context, size_t begin, size_t end) {               \
    const work *job = context;                                                                   \
    switch (job->after) {                                                                        \
      case dk_then_relu: name(job, begin, end, dk_then_relu, source); break;                     \
      case dk_then_silu: name(job, begin, end, dk_then_silu, source); break;                     \
      default: name(job, begin, end, dk_then_nothing, source); break;                            \
    }                                                                                            \
  }

// The rows of blocks `begin..<end`.
DK_INLINE void rows_of_blocks(const work *job, size_t begin, size_t end, int64_t *first, int64_t *last) {
  *first = (int64_t)begin * job->block_rows;
  *last = (int64_t)end * job->block_rows < job->rows ? (int64_t)end * job->block_rows : job->rows;
}

DK_INLINE void normalise(
  const work *job, int64_t row, int64_t c, const dk_after_norm after, const int source, const int count) {
  lanes m = 0, a, b, v, slope;
  if (source != of_halves) lanes_load(&m, job->mean + c, count);
  lanes_load(&a, job->scale + c, count);
  lanes_load(&b, job->shift + c, count);
  load_centred(job, row + c, &m, &v, source, count);
  v = v * a + b;
  if (after == dk_then_relu) v = rectified(v);
  if (after == dk_then_silu) silu_both(&v, &slope);
  lanes_store(job->y + row + c, &v, count);
}

DK_INLINE void forward(const work *job, size_t begin, size_t end, const dk_after_norm after, const int source) {
  const int64_t C = job->channels;
  int64_t first, last;
  rows_of_blocks(job, begin, end, &first, &last);
  for (int64_t r = first; r < last; ++r)
    DK_EACH_CHANNELS(C, normalise(job, r * C, c, after, source, count));
}
DK_DEFINE_SOURCE(forward, of_floats)
DK_DEFINE_SOURCE(forward, of_rounded)
DK_DEFINE_SOURCE(forward, of_halves)

void dk_bn_forward(
  int64_t rows, int64_t channels, const float *x, const float *mean, const float *scale, const float *shift, dk_after_norm after,
  float *y) {
  work job = {
    .rows = rows, .channels = channels, .block_rows = rows_a_block(channels), .after = after, .x = x, .mean = mean,
    .scale = scale, .shift = shift, .y = y,
  };
  run_blocks(&job, forward_of_floats);
}

void dk_bn_forward_rounded(
  int64_t rows, int64_t channels, const float *x, const float *mean, const float *scale, const float *shift,
  dk_after_norm after, uint16_t *centred, float *y) {
  work job = {
    .rows = rows, .channels = channels, .block_rows = rows_a_block(channels), .after = after, .x = x, .mean = mean,
    .scale = scale, .shift = shift, .halves_out = centred, .y = y,
  };
  run_blocks(&job, forward_of_rounded);
}

void dk_bn_forward_again(
  int64_t rows, int64_t channels, const uint16_t *centred, const float *scale, const float *shift, dk_after_norm after,
  float *y) {
  work job = {
    .rows = rows, .channels = channels, .block_rows = rows_a_block(channels), .after = after, .halves = centred,
    .scale = scale, .shift = shift, .y = y,
  };
  run_blocks(&job, forward_of_halves);
}

// Adds four rows' (or one row's) gradients, and these times what was normalised.
DK_INLINE void add_gradients(
  const work *job, int64_t at, const int rows, int64_t c, float *sums, float *products, const dk_after_norm after,
  const int source, const int count) {
  lanes m = 0, a, b, v, g, z, sum, product;
  if (source != of_halves) lanes_load(&m, job->mean + c, count);
  lanes_load(&a, job->scale + c, count);
  lanes_load(&b, job->shift + c, count);
  lanes_load(&sum, sums + c, count);
  lanes_load(&product, products + c, count);
  for (int j = 0; j < rows; ++j) {
    load_centred(job, at + j * job->channels + c, &m, &v, source, count);
    lanes_load(&g, job->dy + at + j * job->channels + c, count);
    z = v * a + b;
    pass_activation(&g, &z, after);
    sum += g;
    product += g * v;
  }
  lanes_store(sums + c, &sum, count);
  lanes_store(products + c, &product, count);
}

DK_INLINE void sums(const work *job, size_t begin, size_t end, const dk_after_norm after, const int source) {
  const int64_t C = job->channels;
  for (int64_t block = (int64_t)begin; block < (int64_t)end; ++block) {
    int64_t first, last;
    rows_of_blocks(job, (size_t)block, (size_t)block + 1, &first, &last);
    float *sum = job->partial + block * 2 * C, *centred = sum + C;
    memset(sum, 0, (size_t)(2 * C) * sizeof(float));
    int64_t r = first;
    for (; r + 4 <= last && C <= most_together; r += 4)
      DK_EACH_CHANNELS(C, add_gradients(job, r * C, 4, c, sum, centred, after, source, count));
    for (; r < last; ++r) DK_EACH_CHANNELS(C, add_gradients(job, r * C, 1, c, sum, centred, after, source, count));
  }
}
DK_DEFINE_SOURCE(sums, of_floats)
DK_DEFINE_SOURCE(sums, of_halves)

// Blocks are joined in their order, in float64.
static void join(const work *job, float *sum, float *sum_centred) {
  const int64_t blocks = block_count(job), C = job->channels;
  double *total = calloc((size_t)C * 2, sizeof(double));
  if (!total) abort();
  for (int64_t b = 0; b < blocks; ++b)
    for (int64_t c = 0; c < 2 * C; ++c) total[c] += (double)job->partial[b * 2 * C + c];
  for (int64_t c = 0; c < C; ++c) {
    sum[c] = (float)total[c];
    sum_centred[c] = (float)total[C + c];
  }
  free(total);
}

void dk_bn_backward_sums(
  int64_t rows, int64_t channels, const float *x, const uint16_t *kept, const float *dy, const float *mean,
  const float *scale, const float *shift, dk_after_norm after, float *sum, float *sum_centred) {
  work job = {
    .rows = rows, .channels = channels, .block_rows = rows_a_block(channels), .after = after, .x = x,
    .halves = kept, .dy = dy, .mean = mean, .scale = scale, .shift = shift,
  };
  job.partial = allocate(block_count(&job) * 2 * channels);
  run_blocks(&job, kept ? sums_of_halves : sums_of_floats);
  join(&job, sum, sum_centred);
  free(job.partial);
}

DK_INLINE void input_gradient(
  const work *job, int64_t at, int64_t c, const dk_after_norm after, const int source, const int count) {
  lanes m = 0, a, b, k, o, v, g, z;
  if (source != of_halves) lanes_load(&m, job->mean + c, count);
  lanes_load(&a, job->scale + c, count);
  lanes_load(&b, job->shift + c, count);
  lanes_load(&k, job->slope + c, count);
  lanes_load(&o, job->offset + c, count);
  load_centred(job, at + c, &m, &v, source, count);
  lanes_load(&g, job->dy + at + c, count);
  z = v * a + b;
  pass_activation(&g, &z, after);
  g = a * g + (k * v + o);
  lanes_store(job->dx + at + c, &g, count);
}

DK_INLINE void input(const work *job, size_t begin, size_t end, const dk_after_norm after, const int source) {
  const int64_t C = job->channels;
  int64_t first, last;
  rows_of_blocks(job, begin, end, &first, &last);
  for (int64_t r = first; r < last; ++r) DK_EACH_CHANNELS(C, input_gradient(job, r * C, c, after, source, count));
}
DK_DEFINE_SOURCE(input, of_floats)
DK_DEFINE_SOURCE(input, of_halves)

void dk_bn_backward_input(
  int64_t rows, int64_t channels, const float *x, const uint16_t *kept, const float *dy, const float *mean,
  const float *scale, const float *shift, dk_after_norm after, const float *slope, const float *offset, float *dx) {
  work job = {
    .rows = rows, .channels = channels, .block_rows = rows_a_block(channels), .after = after, .x = x,
    .halves = kept, .dy = dy, .mean = mean, .scale = scale, .shift = shift, .slope = slope, .offset = offset, .dx = dx,
  };
  run_blocks(&job, kept ? input_of_halves : input_of_floats);
}

DK_INLINE void bytes_load(int_lanes *v, const uint8_t *p, const int count) {
  byte_lanes bytes = 0;
  if (count == dk_lanes)
    bytes = *(const loose_byte_lanes *)p;
  else
    memcpy(&bytes, p, (size_t)count);
  *v = __builtin_convertvector(bytes, int_lanes);
}

// One row of pooled outputs from the input rows `x` and `x + row`.
DK_INLINE void pool_row(
  const float *x, int64_t row, int64_t stride, int64_t outputs, const float *mean, const float *scale,
  const float *shift, float *y, uint8_t *winner, float *centred, const int count) {
  lanes m, a, b;
  lanes_load(&m, mean, count);
  lanes_load(&a, scale, count);
  lanes_load(&b, shift, count);
  for (int64_t o = 0; o < outputs; ++o) {
    const float *corner = x + 2 * o * stride;
    lanes v, best, best_centred;
    int_lanes index = 0;
    lanes_load(&v, corner, count);
    best_centred = v - m;
    best = best_centred * a + b;
    for (int p = 1; p < 4; ++p) {
      lanes_load(&v, corner + (p >> 1) * row + (p & 1) * stride, count);
      v -= m;
      const lanes value = v * a + b;
      const int_lanes better = value > best;
      best = better ? value : best;
      best_centred = better ? v : best_centred;
      index = better ? (int_lanes)p : index;
    }
    const lanes out = rectified(best);
    lanes_store(y + o * stride, &out, count);
    if (winner) {
      index = best > 0 ? index : (int_lanes)4;
      const byte_lanes bytes = __builtin_convertvector(index, byte_lanes);
      if (count == dk_lanes)
        *(loose_byte_lanes *)(winner + o * stride) = bytes;
      else
        memcpy(winner + o * stride, &bytes, (size_t)count);
      lanes_store(centred + o * stride, &best_centred, count);
    }
  }
}

// Units are rows of pooled outputs.
DK_CLONES static void pool_rows(void *context, size_t begin, size_t end) {
  const work *job = context;
  const int64_t C = job->channels, W = job->width, out_height = job->height / 2, out_width = W / 2;
  for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
    const float *x = job->x + (unit / out_height * job->height + unit % out_height * 2) * W * C;
    float *y = job->y + unit * out_width * C;
    uint8_t *winner = job->winner_out ? job->winner_out + unit * out_width * C : NULL;
    float *centred = job->centred_out ? job->centred_out + unit * out_width * C : NULL;
    for (int64_t c = 0; c < C; c += dk_lanes)
      DK_WITH_COUNT(
        C, c,
        pool_row(
          x + c, W * C, C, out_width, job->mean + c, job->scale + c, job->shift + c, y + c,
          winner ? winner + c : NULL, centred ? centred + c : NULL, count));
  }
}

void dk_bn_pool_forward(
  int64_t batch, int64_t height, int64_t width, int64_t channels, const float *x, const float *mean,
  const float *scale, const float *shift, float *y, uint8_t *winner, float *centred) {
  work job = {
    .channels = channels, .height = height, .width = width, .x = x, .mean = mean, .scale = scale, .shift = shift,
    .y = y, .winner_out = winner, .centred_out = centred,
  };
  dk_parallel((size_t)(batch * (height / 2)), 4, 1, &job, pool_rows);
}

DK_INLINE void pooled_sums(
  const float *dy, const uint8_t *winner, const float *centred, int64_t rows, int64_t stride, float *sum,
  float *sum_centred, const int count) {
  lanes g, v, sums[2] = {0, 0}, products[2] = {0, 0};
  int_lanes index;
  for (int64_t r = 0; r < rows; ++r) {
    lanes_load(&g, dy + r * stride, count);
    lanes_load(&v, centred + r * stride, count);
    bytes_load(&index, winner + r * stride, count);
    g = index != 4 ? g : (lanes)0;
    sums[r & 1] += g;
    products[r & 1] += g * v;
  }
  sums[0] += sums[1];
  products[0] += products[1];
  lanes_store(sum, sums, count);
  lanes_store(sum_centred, products, count);
}

DK_CLONES static void pooled_sums_blocks(void *context, size_t begin, size_t end) {
  const work *job = context;
  const int64_t C = job->channels;
  for (int64_t block = (int64_t)begin; block < (int64_t)end; ++block) {
    const int64_t first = block * job->block_rows;
    const int64_t rows = job->rows - first < job->block_rows ? job->rows - first : job->block_rows;
    float *sum = job->partial + block * 2 * C;
    for (int64_t c = 0; c < C; c += dk_lanes)
      DK_WITH_COUNT(
        C, c,
        pooled_sums(
          job->dy + first * C + c, job->winner + first * C + c, job->centred + first * C + c, rows, C, sum + c,
          sum + C + c, count));
  }
}

void dk_bn_pool_backward_sums(
  int64_t rows, int64_t channels, const float *dy, const uint8_t *winner, const float *centred, float *sum,
  float *sum_centred) {
  work job = {
    .rows = rows, .channels = channels, .block_rows = rows_a_block(channels), .dy = dy, .winner = winner,
    .centred = centred,
  };
  job.partial = allocate(block_count(&job) * 2 * channels);
  run_blocks(&job, pooled_sums_blocks);
  join(&job, sum, sum_centred);
  free(job.partial);
}

// One input row: its pooled row's gradient goes to the winners, the rest get the norm's own terms only.
DK_INLINE void unpool_row(
  const float *x, float *dx, int64_t width, int64_t stride, const float *dy, const uint8_t *winner, int below,
  const float *mean, const float *scale, const float *slope, const float *offset, const int count) {
  lanes m, a, k, o, v, g;
  int_lanes index;
  lanes_load(&m, mean, count);
  lanes_load(&a, scale, count);
  lanes_load(&k, slope, count);
  lanes_load(&o, offset, count);
  int64_t w = 0;
  if (dy)
    for (; w + 2 <= width; w += 2) {
      lanes_load(&g, dy + w / 2 * stride, count);
      bytes_load(&index, winner + w / 2 * stride, count);
      g *= a;
      for (int j = 0; j < 2; ++j) {
        lanes_load(&v, x + (w + j) * stride, count);
        v = k * (v - m) + o + (index == 2 * below + j ? g : (lanes)0);
        lanes_store(dx + (w + j) * stride, &v, count);
      }
    }
  for (; w < width; ++w) {
    lanes_load(&v, x + w * stride, count);
    v = k * (v - m) + o;
    lanes_store(dx + w * stride, &v, count);
  }
}

// Units are input rows.
DK_CLONES static void unpool_rows(void *context, size_t begin, size_t end) {
  const work *job = context;
  const int64_t C = job->channels, W = job->width, out_height = job->height / 2, out_width = W / 2;
  for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
    const int64_t n = unit / job->height, h = unit % job->height;
    const int64_t pooled = (n * out_height + h / 2) * out_width * C;
    const int inside = h / 2 < out_height;
    for (int64_t c = 0; c < C; c += dk_lanes)
      DK_WITH_COUNT(
        C, c,
        unpool_row(
          job->x + unit * W * C + c, job->dx + unit * W * C + c, W, C, inside ? job->dy + pooled + c : NULL,
          job->winner + pooled + c, (int)(h & 1), job->mean + c, job->scale + c, job->slope + c, job->offset + c,
          count));
  }
}

void dk_bn_pool_backward_input(
  int64_t batch, int64_t height, int64_t width, int64_t channels, const float *x, const float *dy,
  const uint8_t *winner, const float *mean, const float *scale, const float *slope, const float *offset, float *dx) {
  work job = {
    .channels = channels, .height = height, .width = width, .x = x, .dy = dy, .winner = winner, .mean = mean,
    .scale = scale, .slope = slope, .offset = offset, .dx = dx,
  };
  dk_parallel((size_t)(batch * height), 8, 1, &job, unpool_rows);
}
