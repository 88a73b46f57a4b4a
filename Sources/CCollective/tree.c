#include <limits.h>
#include <math.h>
#include <string.h>

#include "CCollective.h"

// Elements that are added up at a time: intermediate sums stay in the first cache.
enum { BLOCK = 1024 };

size_t unmask_element_size(int kind) { return kind == UNMASK_INT16_SUM ? 2 : 4; }

static void combine(int kind, const void *left, const void *right, void *out, size_t count) {
  if (kind == UNMASK_FLOAT32_SUM) {
    const float *a = left, *b = right;
    float *sum = out;
    for (size_t i = 0; i < count; i++) sum[i] = a[i] + b[i];
  } else if (kind == UNMASK_INT16_SUM) {
    const int16_t *a = left, *b = right;
    int16_t *sum = out;
    for (size_t i = 0; i < count; i++) sum[i] = (int16_t)((uint16_t)a[i] + (uint16_t)b[i]);
  } else {
    const int32_t *a = left, *b = right;
    int32_t *largest = out;
    for (size_t i = 0; i < count; i++) largest[i] = a[i] > b[i] ? a[i] : b[i];
  }
}

void unmask_tree_reduce(
    int kind, const unmask_addition *additions, size_t addition_count, const void *const *leaves, void *out,
    size_t elements) {
  size_t size = unmask_element_size(kind);
  if (addition_count == 0) {
    if (out != leaves[0]) memcpy(out, leaves[0], elements * size);
    return;
  }
  if (addition_count == 1) return combine(kind, leaves[additions[0].left], leaves[additions[0].right], out, elements);
  _Alignas(64) char sums[UNMASK_TREE_DEPTH][BLOCK * 4];
  for (size_t begin = 0; begin < elements; begin += BLOCK) {
    size_t count = elements - begin < BLOCK ? elements - begin : BLOCK;
    for (size_t i = 0; i < addition_count; i++) {
      const unmask_addition *step = additions + i;
      const void *left = step->left >= 0 ? (const char *)leaves[step->left] + begin * size : sums[-1 - step->left];
      const void *right = step->right >= 0 ? (const char *)leaves[step->right] + begin * size : sums[-1 - step->right];
      combine(kind, left, right, step->target < 0 ? (char *)out + begin * size : sums[step->target], count);
    }
  }
}

int32_t unmask_largest_exponent(const float *values, size_t count) {
  // Magnitudes as integers have the order of the numbers; infinities and NaN come last.
  uint32_t largest = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, values + i, 4);
    bits &= 0x7FFFFFFF;
    largest = bits > largest ? bits : largest;
  }
  if (largest >= 0x7F800000) return INT32_MAX;
  int32_t exponent = (int32_t)(largest >> 23) - 126;
  return exponent < -126 ? -126 : exponent;
}

void unmask_quantise(const float *values, int16_t *out, size_t count, int32_t exponent, int32_t bits) {
  if (exponent == INT32_MAX) {
    memset(out, 0, count * 2);
    return;
  }
  // A power of two that multiplies without rounding; two factors, as one may not be a float.
  int32_t power = bits - 1 - exponent;
  float first = ldexpf(1, power / 2), second = ldexpf(1, power - power / 2);
  float limit = (float)((1 << (bits - 1)) - 1);
  for (size_t i = 0; i < count; i++) {
    float value = rintf(values[i] * first * second);
    value = value > limit ? limit : value;
    value = value < -limit ? -limit : value;
    out[i] = (int16_t)value;
  }
}

void unmask_dequantise(const int16_t *values, float *out, size_t count, int32_t exponent, int32_t bits) {
  if (exponent == INT32_MAX) {
    for (size_t i = 0; i < count; i++) out[i] = NAN;
    return;
  }
  int32_t power = exponent - bits + 1;
  float first = ldexpf(1, power / 2), second = ldexpf(1, power - power / 2);
  for (size_t i = 0; i < count; i++) out[i] = (float)values[i] * first * second;
}

uint64_t unmask_digest(const void *bytes, size_t count, uint64_t seed) {
  const uint64_t prime = 0x9E3779B185EBCA87u;
  uint64_t lanes[4] = {seed ^ prime, seed + prime, seed, ~seed};
  const char *at = bytes;
  size_t rest = count;
  for (; rest >= 32; rest -= 32, at += 32) {
    uint64_t words[4];
    memcpy(words, at, 32);
    for (int lane = 0; lane < 4; lane++) {
      lanes[lane] = (lanes[lane] ^ words[lane]) * prime;
      lanes[lane] ^= lanes[lane] >> 29;
    }
  }
  uint64_t digest = count;
  for (int lane = 0; lane < 4; lane++) digest = (digest ^ lanes[lane]) * prime ^ (digest >> 31);
  for (; rest > 0; rest--, at++) digest = (digest ^ (uint8_t)*at) * prime;
  digest ^= digest >> 33;
  return digest * prime ^ (digest >> 29);
}
