#include "dk_random.h"

#include <string.h>

#include "dk_lanes.h"
#include "dk_parallel.h"

struct dropout {
  const float *x;
  float *y;
  void *values, *slopes;  // changed in place instead, both alike: floats, or bfloat16 numbers if `halves`
  int halves;
  size_t count;
  uint32_t threshold;
  float scale;
  uint64_t key, lane, position;
};

// Sixteen blocks side by side: a vector holds the same word of all of them.
enum { side = 16 };
typedef uint32_t words __attribute__((ext_vector_type(16)));
typedef uint64_t wide __attribute__((ext_vector_type(8)));

// The upper and lower halves of x · factor, by even and odd lanes.
DK_INLINE void multiply(words x, uint64_t factor, words *high, words *low) {
  const wide even = ((wide)x & 0xffffffffu) * factor, odd = ((wide)x >> 32) * factor;
  *high = (words)((even >> 32) | (odd & 0xffffffff00000000u));
  *low = (words)((even & 0xffffffffu) | (odd << 32));
}

#define FIRST_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define LAST_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

// What each of the next 64 numbers is multiplied with.
DK_INLINE void factors_of(const struct dropout *p, size_t first, lanes factors[4]) {
  const words counting = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const uint64_t index = p->position + first;
  words c0 = (uint32_t)index + counting, c1 = (uint32_t)(index >> 32) - (words)(c0 < (uint32_t)index);
  words c2 = (uint32_t)p->lane, c3 = (uint32_t)(p->lane >> 32);
  uint32_t k0 = (uint32_t)p->key, k1 = (uint32_t)(p->key >> 32);
  for (int round = 0; round < 10; round++) {
    words a_high, a_low, b_high, b_low;
    multiply(c0, 0xd2511f53u, &a_high, &a_low);
    multiply(c2, 0xcd9e8d57u, &b_high, &b_low);
    c0 = b_high ^ c1 ^ k0;
    c2 = a_high ^ c3 ^ k1;
    c1 = b_low;
    c3 = a_low;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  // Words in the order of the stream: all four of block 0, then of block 1, …
  const words even0 = __builtin_shufflevector(c0, c2, FIRST_HALVES), even1 = __builtin_shufflevector(c0, c2, LAST_HALVES);
  const words odd0 = __builtin_shufflevector(c1, c3, FIRST_HALVES), odd1 = __builtin_shufflevector(c1, c3, LAST_HALVES);
  const words order[4] = {
    __builtin_shufflevector(even0, odd0, FIRST_HALVES), __builtin_shufflevector(even0, odd0, LAST_HALVES),
    __builtin_shufflevector(even1, odd1, FIRST_HALVES), __builtin_shufflevector(even1, odd1, LAST_HALVES)};
  for (int i = 0; i < 4; i++) factors[i] = order[i] >= p->threshold ? (lanes)p->scale : (lanes)0.0f;
}

DK_INLINE void scale_floats(const float *x, float *y, const lanes *factor, int count) {
  lanes v;
  lanes_load(&v, x, count);
  v = *factor == 0.0f ? (lanes)0.0f : v * *factor;  // infinity becomes 0 too
  lanes_store(y, &v, count);
}

typedef uint16_t half_lanes __attribute__((ext_vector_type(16)));
typedef uint32_t word_lanes __attribute__((ext_vector_type(16)));

DK_INLINE void scale_rounded(uint16_t *x, const lanes *factor, int count) {
  half_lanes bits = 0;
  memcpy(&bits, x, (size_t)count * 2);
  const lanes v = (lanes)(__builtin_convertvector(bits, word_lanes) << 16) * *factor;
  word_lanes rounded = (word_lanes)v;
  rounded = (rounded + 0x7fff + ((rounded >> 16) & 1)) >> 16;
  rounded = v == v ? rounded : (word_lanes)0x7fc0;
  bits = __builtin_convertvector(*factor == 0.0f ? (word_lanes)0 : rounded, half_lanes);
  memcpy(x, &bits, (size_t)count * 2);
}

DK_INLINE void scale_lanes(const struct dropout *p, size_t at, const lanes *factor, const int count) {
  if (!p->values) {
    scale_floats(p->x + at, p->y + at, factor, count);
  } else if (!p->halves) {
    scale_floats((float *)p->values + at, (float *)p->values + at, factor, count);
    if (p->slopes) scale_floats((float *)p->slopes + at, (float *)p->slopes + at, factor, count);
  } else {
    scale_rounded((uint16_t *)p->values + at, factor, count);
    if (p->slopes) scale_rounded((uint16_t *)p->slopes + at, factor, count);
  }
}

DK_CLONES static void dropout_blocks(const struct dropout *p, size_t begin, size_t end) {
  for (size_t first = begin; first < end; first += side) {
    lanes factors[4];
    factors_of(p, first, factors);
    size_t from = first * 4, n = p->count - from < 4 * side ? p->count - from : 4 * side;
    if (n > (end - first) * 4) n = (end - first) * 4;
    for (size_t i = 0; i < n; i += dk_lanes) {
      if (n - i >= dk_lanes)
        scale_lanes(p, from + i, &factors[i / dk_lanes], dk_lanes);
      else
        scale_lanes(p, from + i, &factors[i / dk_lanes], (int)(n - i));
    }
  }
}

static void dropout_piece(void *context, size_t begin, size_t end) { dropout_blocks(context, begin, end); }

void dk_dropout(const float *x, float *y, size_t count, uint32_t threshold, float scale, uint64_t key, uint64_t lane,
                uint64_t position) {
  struct dropout p = {x, y, 0, 0, 0, count, threshold, scale, key, lane, position};
  dk_parallel((count + 3) / 4, 4096, side, &p, dropout_piece);
}

void dk_dropout_in_place(void *values, void *slopes, int halves, size_t count, uint32_t threshold, float scale,
                         uint64_t key, uint64_t lane, uint64_t position) {
  struct dropout p = {0, 0, values, slopes, halves, count, threshold, scale, key, lane, position};
  dk_parallel((count + 3) / 4, 4096, side, &p, dropout_piece);
}
