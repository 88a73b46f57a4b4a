#include "dk_batchnorm_parts.h"

// Where x - mean comes from: x; x, rounded to bfloat16 (and kept, if anywhere); or what was kept.
enum { of_floats, of_rounded, of_halves };

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
