// Float sums of sound processing, in a fixed order: eight interleaved running sums, folded pairwise, never contracted to
// fused multiply-add, so that every machine gets the same bits.
#include "media.h"

#pragma STDC FP_CONTRACT OFF

typedef float float8 __attribute__((vector_size(32), aligned(4)));

// By address: passing wide vectors by value has no stable calling convention on the baseline target.
static inline float fold(const float8 *sums) {
  float8 s = *sums;
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

DK_CLONES float dk_dot(const float *a, const float *b, size_t count) {
  float8 sums = {0};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) sums += *(const float8 *)(a + i) * *(const float8 *)(b + i);
  float rest = 0;
  for (; i < count; i++) rest += a[i] * b[i];
  return fold(&sums) + rest;
}

DK_CLONES void dk_polyphase(const float *source, float *target, size_t target_count, uint64_t first, uint64_t step,
                  uint64_t phases, uint64_t table_phases, const float *filters, size_t taps) {
  for (size_t i = 0; i < target_count; i++) {
    uint64_t position = (first + i) * step;
    int64_t whole = (int64_t)(position / phases);
    uint64_t phase = position % phases;
    if (table_phases != phases) phase = phase * table_phases / phases;
    const float *x = source + whole - ((int64_t)taps / 2 - 1);
    const float *f = filters + phase * taps;
    float8 even = {0}, odd = {0};
    size_t k = 0;
    for (; k + 16 <= taps; k += 16) {
      even += *(const float8 *)(x + k) * *(const float8 *)(f + k);
      odd += *(const float8 *)(x + k + 8) * *(const float8 *)(f + k + 8);
    }
    for (; k < taps; k += 8) even += *(const float8 *)(x + k) * *(const float8 *)(f + k);
    even += odd;
    target[i] = fold(&even);
  }
}
