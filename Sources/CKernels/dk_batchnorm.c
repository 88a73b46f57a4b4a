#include "dk_batchnorm.h"
#include "dk_parallel.h"
#include "dk_lanes.h"
#include <stdlib.h>

typedef struct {
  int64_t rows, channels, block_rows, height, width;
  int relu;
  const float *x, *dy, *mean, *scale, *shift, *slope, *offset;
  const uint8_t *winner;
  const float *centred;
  float *y, *dx, *partial, *centred_out;
  uint8_t *winner_out;
} work;

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

// Mean and squared deviations of x - pivot; with a pivot among the values, differences keep their bits. What rounding
// left of the mean is summed in the second pass: a mean near 0 of values far from it keeps its bits too.
DK_INLINE void block_moments(
  const float *x, int64_t rows, int64_t stride, const float *pivot, float *mean, float *squares, float *rest,
  const int count) {
  lanes sum[4] = {0, 0, 0, 0}, v, origin;
  lanes_load(&origin, pivot, count);
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4)
    for (int j = 0; j < 4; ++j) {
      lanes_load(&v, x + (r + j) * stride, count);
      sum[j] += v - origin;
    }
  for (; r < rows; ++r) {
    lanes_load(&v, x + r * stride, count);
    sum[0] += v - origin;
  }
  const lanes centre = ((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)rows;
  lanes left[4] = {0, 0, 0, 0};
  for (int j = 0; j < 4; ++j) sum[j] = 0;
  for (r = 0; r + 4 <= rows; r += 4)
    for (int j = 0; j < 4; ++j) {
      lanes_load(&v, x + (r + j) * stride, count);
      v = v - origin - centre;
      sum[j] += v * v;
      left[j] += v;
    }
  for (; r < rows; ++r) {
    lanes_load(&v, x + r * stride, count);
    v = v - origin - centre;
    sum[0] += v * v;
    left[0] += v;
  }
  const lanes total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  const lanes missed = ((left[0] + left[1]) + (left[2] + left[3])) / (float)rows;
  lanes_store(mean, &centre, count);
  lanes_store(squares, &total, count);
  lanes_store(rest, &missed, count);
}

DK_CLONES static void statistics_blocks(void *context, size_t begin, size_t end) {
  const work *job = context;
  const int64_t C = job->channels;
  for (int64_t b = (int64_t)begin; b < (int64_t)end; ++b) {
    const int64_t first = b * job->block_rows;
    const int64_t rows = job->rows - first < job->block_rows ? job->rows - first : job->block_rows;
    float *mean = job->partial + b * 3 * C, *squares = mean + C, *rest = squares + C;
    for (int64_t c = 0; c < C; c += dk_lanes)
      DK_WITH_COUNT(
        C, c, block_moments(job->x + first * C + c, rows, C, job->x + c, mean + c, squares + c, rest + c, count));
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

DK_INLINE void normalise_rows(
  const float *x, float *y, int64_t rows, int64_t stride, const float *mean, const float *scale, const float *shift,
  const int relu, const int count) {
  lanes m, a, b, v;
  lanes_load(&m, mean, count);
  lanes_load(&a, scale, count);
  lanes_load(&b, shift, count);
  for (int64_t r = 0; r < rows; ++r) {
    lanes_load(&v, x + r * stride, count);
    v = (v - m) * a + b;
    if (relu) v = rectified(v);
    lanes_store(y + r * stride, &v, count);
  }
}

DK_CLONES static void forward_blocks(void *context, size_t begin, size_t end) {
  const work *job = context;
  const int64_t C = job->channels;
  for (int64_t block = (int64_t)begin; block < (int64_t)end; ++block) {
    const int64_t first = block * job->block_rows;
    const int64_t rows = job->rows - first < job->block_rows ? job->rows - first : job->block_rows;
    const float *x = job->x + first * C;
    float *y = job->y + first * C;
    for (int64_t c = 0; c < C; c += dk_lanes)
      if (job->relu)
        DK_WITH_COUNT(
          C, c, normalise_rows(x + c, y + c, rows, C, job->mean + c, job->scale + c, job->shift + c, 1, count));
      else
        DK_WITH_COUNT(
          C, c, normalise_rows(x + c, y + c, rows, C, job->mean + c, job->scale + c, job->shift + c, 0, count));
  }
}

void dk_bn_forward(
  int64_t rows, int64_t channels, const float *x, const float *mean, const float *scale, const float *shift, int relu,
  float *y) {
  work job = {
    .rows = rows, .channels = channels, .block_rows = rows_a_block(channels), .relu = relu, .x = x, .mean = mean,
    .scale = scale, .shift = shift, .y = y,
  };
  run_blocks(&job, forward_blocks);
}

DK_INLINE void gradient_sums(
  const float *x, const float *dy, int64_t rows, int64_t stride, const float *mean, const float *scale,
  const float *shift, float *sum, float *centred, const int relu, const int count) {
  lanes m, a, b, v, g, sums[2] = {0, 0}, products[2] = {0, 0};
  lanes_load(&m, mean, count);
  lanes_load(&a, scale, count);
  lanes_load(&b, shift, count);
  for (int64_t r = 0; r < rows; ++r) {
    lanes_load(&v, x + r * stride, count);
    lanes_load(&g, dy + r * stride, count);
    v -= m;
    if (relu) g = v * a + b > 0 ? g : (lanes)0;
    sums[r & 1] += g;
    products[r & 1] += g * v;
  }
  sums[0] += sums[1];
  products[0] += products[1];
  lanes_store(sum, sums, count);
  lanes_store(centred, products, count);
}

DK_CLONES static void sums_blocks(void *context, size_t begin, size_t end) {
  const work *job = context;
  const int64_t C = job->channels;
  for (int64_t block = (int64_t)begin; block < (int64_t)end; ++block) {
    const int64_t first = block * job->block_rows;
    const int64_t rows = job->rows - first < job->block_rows ? job->rows - first : job->block_rows;
    const float *x = job->x + first * C, *dy = job->dy + first * C;
    float *sum = job->partial + block * 2 * C, *centred = sum + C;
    for (int64_t c = 0; c < C; c += dk_lanes)
      if (job->relu)
        DK_WITH_COUNT(
          C, c,
          gradient_sums(
            x + c, dy + c, rows, C, job->mean + c, job->scale + c, job->shift + c, sum + c, centred + c, 1, count));
      else
        DK_WITH_COUNT(
          C, c,
          gradient_sums(
            x + c, dy + c, rows, C, job->mean + c, job->scale + c, job->shift + c, sum + c, centred + c, 0, count));
  }
}

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
  int64_t rows, int64_t channels, const float *x, const float *dy, const float *mean, const float *scale,
  const float *shift, int relu, float *sum, float *sum_centred) {
  work job = {
    .rows = rows, .channels = channels, .block_rows = rows_a_block(channels), .relu = relu, .x = x, .dy = dy,
    .mean = mean, .scale = scale, .shift = shift,
  };
  job.partial = allocate(block_count(&job) * 2 * channels);
  run_blocks(&job, sums_blocks);
  join(&job, sum, sum_centred);
  free(job.partial);
}

DK_INLINE void gradient_rows(
  const float *x, const float *dy, float *dx, int64_t rows, int64_t stride, const float *mean, const float *scale,
  const float *shift, const float *slope, const float *offset, const int relu, const int count) {
  lanes m, a, b, k, o, v, g;
  lanes_load(&m, mean, count);
  lanes_load(&a, scale, count);
  lanes_load(&b, shift, count);
  lanes_load(&k, slope, count);
  lanes_load(&o, offset, count);
  for (int64_t r = 0; r < rows; ++r) {
    lanes_load(&v, x + r * stride, count);
    lanes_load(&g, dy + r * stride, count);
    v -= m;
    if (relu) g = v * a + b > 0 ? g : (lanes)0;
    g = a * g + (k * v + o);
    lanes_store(dx + r * stride, &g, count);
  }
}

DK_CLONES static void input_blocks(void *context, size_t begin, size_t end) {
  const work *job = context;
  const int64_t C = job->channels;
  for (int64_t block = (int64_t)begin; block < (int64_t)end; ++block) {
    const int64_t first = block * job->block_rows;
    const int64_t rows = job->rows - first < job->block_rows ? job->rows - first : job->block_rows;
    const float *x = job->x + first * C, *dy = job->dy + first * C;
    float *dx = job->dx + first * C;
    for (int64_t c = 0; c < C; c += dk_lanes)
      if (job->relu)
        DK_WITH_COUNT(
          C, c,
          gradient_rows(
            x + c, dy + c, dx + c, rows, C, job->mean + c, job->scale + c, job->shift + c, job->slope + c,
            job->offset + c, 1, count));
      else
        DK_WITH_COUNT(
          C, c,
          gradient_rows(
            x + c, dy + c, dx + c, rows, C, job->mean + c, job->scale + c, job->shift + c, job->slope + c,
            job->offset + c, 0, count));
  }
}

void dk_bn_backward_input(
  int64_t rows, int64_t channels, const float *x, const float *dy, const float *mean, const float *scale,
  const float *shift, int relu, const float *slope, const float *offset, float *dx) {
  work job = {
    .rows = rows, .channels = channels, .block_rows = rows_a_block(channels), .relu = relu, .x = x, .dy = dy,
    .mean = mean, .scale = scale, .shift = shift, .slope = slope, .offset = offset, .dx = dx,
  };
  run_blocks(&job, input_blocks);
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
