#include "dk_pooling.h"
#include "dk_parallel.h"
#include "dk_lanes.h"

// Units of work are (sample, sixteen channels): windows may overlap, channels never do.
typedef struct {
  const dk_pool *pool;
  const float *x, *dy;
  float *y, *dx;
  int32_t *index;
  const int32_t *winner;
} work;

static int64_t pixels(const int64_t size[3]) { return size[0] * size[1] * size[2]; }
static int64_t chunk_count(const dk_pool *p) { return (p->channels + dk_lanes - 1) / dk_lanes; }

// Loops over the outputs of a pool; inside, `o` is the output and d, h, w its coordinates.
#define FOR_EACH_OUTPUT(p)                                        \
  for (int64_t d = 0, o = 0; d < (p)->out[0]; ++d)                \
    for (int64_t h = 0; h < (p)->out[1]; ++h)                     \
      for (int64_t w = 0; w < (p)->out[2]; ++w, ++o)

// Loops over the inputs of the window of output (d, h, w); inside, `i` is the input's position.
#define FOR_EACH_INPUT(p)                                                                    \
  for (int64_t id = (p)->begin[0][d]; id < (p)->end[0][d]; id += (p)->step[0])               \
    for (int64_t ih = (p)->begin[1][h]; ih < (p)->end[1][h]; ih += (p)->step[1])             \
      for (int64_t iw = (p)->begin[2][w], i = (id * (p)->in[1] + ih) * (p)->in[2] + iw;      \
           iw < (p)->end[2][w]; iw += (p)->step[2], i += (p)->step[2])

DK_INLINE void max_forward(const dk_pool *p, const float *x, float *y, int32_t *index, const int count) {
  FOR_EACH_OUTPUT(p) {
    lanes best = -__builtin_inff(), v;
    int_lanes winner = -1;
    FOR_EACH_INPUT(p) {
      lanes_load(&v, x + i * p->channels, count);
      const int_lanes better = (v > best) | (v != v) | (winner < 0);
      best = better ? v : best;
      winner = better ? (int_lanes)(int32_t)i : winner;
    }
    lanes_store(y + o * p->channels, &best, count);
    if (index) memcpy(index + o * p->channels, &winner, (size_t)count * sizeof(int32_t));
  }
}

DK_CLONES static void max_forward_units(void *context, size_t begin, size_t end) {
  const work *job = context;
  const dk_pool *p = job->pool;
  const int64_t chunks = chunk_count(p), in = pixels(p->in) * p->channels, out = pixels(p->out) * p->channels;
  for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
    const int64_t n = unit / chunks, c = unit % chunks * dk_lanes;
    DK_WITH_COUNT(
      p->channels, c,
      max_forward(
        p, job->x + n * in + c, job->y + n * out + c, job->index ? job->index + n * out + c : NULL, count));
  }
}

void dk_max_pool_forward(const dk_pool *pool, const float *x, float *y, int32_t *index) {
  work job = {.pool = pool, .x = x, .y = y, .index = index};
  dk_parallel((size_t)(pool->batch * chunk_count(pool)), 1, 1, &job, max_forward_units);
}

DK_INLINE void clear(float *dx, int64_t positions, int64_t channels, const int count) {
  const lanes zero = 0;
  for (int64_t i = 0; i < positions; ++i) lanes_store(dx + i * channels, &zero, count);
}

DK_INLINE void max_backward(const dk_pool *p, const float *dy, const int32_t *index, float *dx, const int count) {
  clear(dx, pixels(p->in), p->channels, count);
  FOR_EACH_OUTPUT(p) {
    lanes g, v;
    int_lanes winner = -1;
    lanes_load(&g, dy + o * p->channels, count);
    memcpy(&winner, index + o * p->channels, (size_t)count * sizeof(int32_t));
    FOR_EACH_INPUT(p) {
      lanes_load(&v, dx + i * p->channels, count);
      v += winner == (int_lanes)(int32_t)i ? g : (lanes)0;
      lanes_store(dx + i * p->channels, &v, count);
    }
  }
}

DK_CLONES static void max_backward_units(void *context, size_t begin, size_t end) {
  const work *job = context;
  const dk_pool *p = job->pool;
  const int64_t chunks = chunk_count(p), in = pixels(p->in) * p->channels, out = pixels(p->out) * p->channels;
  for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
    const int64_t n = unit / chunks, c = unit % chunks * dk_lanes;
    DK_WITH_COUNT(
      p->channels, c,
      max_backward(p, job->dy + n * out + c, job->winner + n * out + c, job->dx + n * in + c, count));
  }
}

void dk_max_pool_backward(const dk_pool *pool, const float *dy, const int32_t *index, float *dx) {
  work job = {.pool = pool, .dy = dy, .winner = index, .dx = dx};
  dk_parallel((size_t)(pool->batch * chunk_count(pool)), 1, 1, &job, max_backward_units);
}

DK_INLINE float divisor(const dk_pool *p, int64_t d, int64_t h, int64_t w) {
  return (float)p->extent[0][d] * (float)p->extent[1][h] * (float)p->extent[2][w];
}

// Rows of a window are summed by themselves first: a global pool's rounding stays that of two short sums.
DK_INLINE void average_forward(const dk_pool *p, const float *x, float *y, const int count) {
  FOR_EACH_OUTPUT(p) {
    lanes total = 0, v;
    for (int64_t id = p->begin[0][d]; id < p->end[0][d]; ++id)
      for (int64_t ih = p->begin[1][h]; ih < p->end[1][h]; ++ih) {
        lanes row = 0;
        for (int64_t iw = p->begin[2][w]; iw < p->end[2][w]; ++iw) {
          lanes_load(&v, x + ((id * p->in[1] + ih) * p->in[2] + iw) * p->channels, count);
          row += v;
        }
        total += row;
      }
    total /= divisor(p, d, h, w);
    lanes_store(y + o * p->channels, &total, count);
  }
}

DK_CLONES static void average_forward_units(void *context, size_t begin, size_t end) {
  const work *job = context;
  const dk_pool *p = job->pool;
  const int64_t chunks = chunk_count(p), in = pixels(p->in) * p->channels, out = pixels(p->out) * p->channels;
  for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
    const int64_t n = unit / chunks, c = unit % chunks * dk_lanes;
    DK_WITH_COUNT(p->channels, c, average_forward(p, job->x + n * in + c, job->y + n * out + c, count));
  }
}

void dk_average_pool_forward(const dk_pool *pool, const float *x, float *y) {
  work job = {.pool = pool, .x = x, .y = y};
  dk_parallel((size_t)(pool->batch * chunk_count(pool)), 1, 1, &job, average_forward_units);
}

DK_INLINE void average_backward(const dk_pool *p, const float *dy, float *dx, const int count) {
  clear(dx, pixels(p->in), p->channels, count);
  FOR_EACH_OUTPUT(p) {
    lanes g, v;
    lanes_load(&g, dy + o * p->channels, count);
    g /= divisor(p, d, h, w);
    FOR_EACH_INPUT(p) {
      lanes_load(&v, dx + i * p->channels, count);
      v += g;
      lanes_store(dx + i * p->channels, &v, count);
    }
  }
}

DK_CLONES static void average_backward_units(void *context, size_t begin, size_t end) {
  const work *job = context;
  const dk_pool *p = job->pool;
  const int64_t chunks = chunk_count(p), in = pixels(p->in) * p->channels, out = pixels(p->out) * p->channels;
  for (int64_t unit = (int64_t)begin; unit < (int64_t)end; ++unit) {
    const int64_t n = unit / chunks, c = unit % chunks * dk_lanes;
    DK_WITH_COUNT(p->channels, c, average_backward(p, job->dy + n * out + c, job->dx + n * in + c, count));
  }
}

void dk_average_pool_backward(const dk_pool *pool, const float *dy, float *dx) {
  work job = {.pool = pool, .dy = dy, .dx = dx};
  dk_parallel((size_t)(pool->batch * chunk_count(pool)), 1, 1, &job, average_backward_units);
}
