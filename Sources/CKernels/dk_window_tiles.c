#include "dk_window_tiles.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(                                                                             \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"), min_vector_width(512))), apply_to = function)
#define NAME(name) name##_f32
#define DOT(sum, a, b) _mm512_fmadd_ps(a, b, sum)
#include "dk_window_tile.h"
#undef NAME
#undef DOT
#pragma clang attribute pop

#pragma clang attribute push(                                                                                        \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"), min_vector_width(512))), apply_to = function)
#define NAME(name) name##_bf16
#define DOT(sum, a, b) _mm512_dpbf16_ps(sum, (__m512bh)(a), (__m512bh)(b))
#include "dk_window_tile.h"
#undef NAME
#undef DOT
#pragma clang attribute pop

const dk_row_tile *dk_row_tiles(int bfloat16, int64_t pitch) {
  return bfloat16 ? tiles_of_bf16(pitch) : tiles_of_f32(pitch);
}

const dk_sum_tile *dk_sum_tiles(int bfloat16) { return bfloat16 ? sums_bf16 : sums_f32; }
#endif
