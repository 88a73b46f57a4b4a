// What the plain and the pooled batch norm share: the call, its blocks of rows, and how their sums are joined.
#pragma once
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

// A block is about 64 KiB: its second pass finds it in the cache.
DK_INLINE int64_t rows_a_block(int64_t channels) {
  const int64_t rows = 16384 / channels;
  return rows < 16 ? 16 : rows;
}

DK_INLINE int64_t block_count(const work *job) { return (job->rows + job->block_rows - 1) / job->block_rows; }

DK_INLINE void *allocate(int64_t floats) {
  void *p = NULL;
  if (posix_memalign(&p, 64, (size_t)(floats > 0 ? floats : 1) * sizeof(float)) != 0) abort();
  return p;
}

// Runs a pass over blocks of rows whose two sums a channel go to `job->partial` [blocks][2][channels].
DK_INLINE void run_blocks(work *job, dk_body body) { dk_parallel((size_t)(block_count(job)), 4, 1, job, body); }

// v < 0 ? 0 : v lets NaN through, so that a broken step is seen in the loss.
DK_INLINE lanes rectified(lanes v) { return v < 0 ? (lanes)0 : v; }

// Blocks are joined in their order, in float64.
DK_INLINE void join(const work *job, float *sum, float *sum_centred) {
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
