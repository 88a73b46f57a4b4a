#pragma once
#include <stddef.h>

#include "dk_math.h"

// Sums and maxima over one row, written with vectors of fixed width, so that the order of additions is the same on every
// machine, and the rest of a row (channels are rarely a multiple of 16) is not left to single numbers.
typedef float row16 __attribute__((ext_vector_type(16), aligned(4)));
typedef float row8 __attribute__((ext_vector_type(8), aligned(4)));
typedef float row4 __attribute__((ext_vector_type(4), aligned(4)));

// What a term reads: the vector (or number) at the place where the loop is.
#define AT(pointer) (*(const row_vector *)((pointer) + i))

#define DK_ROW_STEP(type, width, sum, term) \
  for (; i + (width) <= n; i += (width)) {  \
    typedef type row_vector;                \
    sum += (term);                          \
  }

#define DK_DEFINE_ROW_SUM(name, parameters, term)                  \
  DK_INLINE float name parameters {                                \
    row16 even = 0, odd = 0;                                       \
    size_t i = 0;                                                  \
    while (i + 32 <= n) {                                          \
      typedef row16 row_vector;                                    \
      even += (term);                                              \
      i += 16;                                                     \
      odd += (term);                                               \
      i += 16;                                                     \
    }                                                              \
    DK_ROW_STEP(row16, 16, even, term)                             \
    even += odd;                                                   \
    row8 eight = even.lo + even.hi;                                \
    DK_ROW_STEP(row8, 8, eight, term)                              \
    row4 four = eight.lo + eight.hi;                               \
    DK_ROW_STEP(row4, 4, four, term)                               \
    float one = (four.x + four.z) + (four.y + four.w);             \
    DK_ROW_STEP(float, 1, one, term)                               \
    return one;                                                    \
  }

DK_DEFINE_ROW_SUM(row_sum, (const float *x, size_t n), AT(x))
DK_DEFINE_ROW_SUM(row_sum_centred, (const float *x, float hi, size_t n), AT(x) - hi)
DK_DEFINE_ROW_SUM(row_sum_squares, (const float *x, float hi, float lo, size_t n),
                  ((AT(x) - hi) - lo) * ((AT(x) - hi) - lo))
DK_DEFINE_ROW_SUM(row_dot, (const float *a, const float *b, size_t n), AT(a) * AT(b))

// NaN is passed over, as comparisons with it are false; the exponentials that follow bring it back.
DK_INLINE float row_maximum(const float *x, size_t n) {
  row16 most = -INFINITY;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    typedef row16 row_vector;
    most = __builtin_elementwise_max(most, AT(x));
  }
  row8 eight = __builtin_elementwise_max(most.lo, most.hi);
  for (; i + 8 <= n; i += 8) {
    typedef row8 row_vector;
    eight = __builtin_elementwise_max(eight, AT(x));
  }
  row4 four = __builtin_elementwise_max(eight.lo, eight.hi);
  float one = four.x > four.y ? four.x : four.y, other = four.z > four.w ? four.z : four.w;
  one = one > other ? one : other;
  for (; i < n; i++) one = x[i] > one ? x[i] : one;
  return one;
}
