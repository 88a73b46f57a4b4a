// Sixteen floats at a time: one AVX-512 register, two of AVX2, four of SSE. Buffers have no alignment to rely on, and
// a row may end within a vector.
#pragma once
#include "dk_parallel.h"
#include <stdint.h>
#include <string.h>

enum { dk_lanes = 16 };

typedef float lanes __attribute__((ext_vector_type(16)));
typedef int32_t int_lanes __attribute__((ext_vector_type(16)));
typedef uint8_t byte_lanes __attribute__((ext_vector_type(16)));
typedef lanes loose_lanes __attribute__((aligned(4)));
typedef int_lanes loose_int_lanes __attribute__((aligned(4)));
typedef byte_lanes loose_byte_lanes __attribute__((aligned(1)));

#define DK_INLINE static inline __attribute__((always_inline))

#pragma clang diagnostic ignored "-Wpsabi"  // vectors pass only through functions that are always inlined

DK_INLINE void lanes_load(lanes *v, const float *p, int count) {
  if (count == dk_lanes) {
    *v = *(const loose_lanes *)p;
  } else {
    *v = 0;
    memcpy(v, p, (size_t)count * sizeof(float));
  }
}

DK_INLINE void lanes_store(float *p, const lanes *v, int count) {
  if (count == dk_lanes)
    *(loose_lanes *)p = *v;
  else
    memcpy(p, v, (size_t)count * sizeof(float));
}

// Calls `body(..., count)` for the sixteen (or fewer, at the end) channels from `c0`; the common counts are constants.
#define DK_WITH_COUNT(channels, c0, body)                              \
  do {                                                                 \
    const int64_t left = (channels) - (c0);                            \
    if (left >= dk_lanes) {                                            \
      enum { count = dk_lanes };                                       \
      body;                                                            \
    } else if (left == dk_lanes / 2) {                                 \
      enum { count = dk_lanes / 2 };                                   \
      body;                                                            \
    } else {                                                           \
      const int count = (int)left;                                     \
      body;                                                            \
    }                                                                  \
  } while (0)
