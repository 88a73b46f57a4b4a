// Batch norm, ReLU and a 2x2 max pool in one pass.
#include "dk_batchnorm_parts.h"

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
