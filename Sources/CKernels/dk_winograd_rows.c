#include "dk_winograd.h"

#if defined(__x86_64__)
#include <immintrin.h>



#define BASE_TARGET "avx512f,avx512bw,avx512vl,avx512dq"

#pragma clang attribute push(__attribute__((target(BASE_TARGET), min_vector_width(512))), apply_to = function)
#define NAME(name) name##_floats
#define ELEMENT float
#define STORE(at, in_pairs, slot, value) ((void)(slot), (void)(in_pairs), _mm512_storeu_ps(at, value))
#include "dk_winograd_rows.h"
#undef NAME
#undef ELEMENT
#undef STORE

static void input_row_floats_of(
  const dk_winograd *w, const float *plane, int64_t tile_row, int64_t slot, const dk_transformed *to) {
  input_row_floats(w, plane, tile_row, slot, to, 0);
}

static void slope_row_floats_of(
  const dk_winograd *w, const float *plane, int64_t tile_row, int64_t slot, const dk_transformed *to) {
  slope_row_floats(w, plane, tile_row, slot, to, 0);
}

void dk_winograd_output_row(
  const dk_winograd *w, const float *sums, int64_t tile_row, const float *bias, float *plane) {
  const int64_t C = w->out_channels, H = w->out[1], W = w->out[2], y = 2 * tile_row;
  for (int64_t tile = 0; tile < w->across; ++tile, sums += dk_winograd_sums_a_tile)
    for (int half = 0; half < 32; half += 16) {
      const __m512 b = bias ? _mm512_loadu_ps(bias + half) : _mm512_setzero_ps();
      const float *m = sums + half;
      __m512 upper[4], lower[4];
#pragma clang loop unroll(full)
      for (int j = 0; j < 4; ++j) {
        const __m512 m0 = _mm512_loadu_ps(m + j * 32), m1 = _mm512_loadu_ps(m + (4 + j) * 32),
                     m2 = _mm512_loadu_ps(m + (8 + j) * 32), m3 = _mm512_loadu_ps(m + (12 + j) * 32);
        upper[j] = _mm512_add_ps(m0, _mm512_add_ps(m1, m2));
        lower[j] = _mm512_sub_ps(_mm512_sub_ps(m1, m2), m3);
      }
      float *to = plane + (y * W + 2 * tile) * C + half;
      const int right = 2 * tile + 1 < W;
      _mm512_storeu_ps(to, _mm512_add_ps(b, _mm512_add_ps(upper[0], _mm512_add_ps(upper[1], upper[2]))));
      if (right)
        _mm512_storeu_ps(to + C, _mm512_add_ps(b, _mm512_sub_ps(_mm512_sub_ps(upper[1], upper[2]), upper[3])));
      if (y + 1 >= H) continue;
      to += W * C;
      _mm512_storeu_ps(to, _mm512_add_ps(b, _mm512_add_ps(lower[0], _mm512_add_ps(lower[1], lower[2]))));
      if (right)
        _mm512_storeu_ps(to + C, _mm512_add_ps(b, _mm512_sub_ps(_mm512_sub_ps(lower[1], lower[2]), lower[3])));
    }
}

void dk_winograd_weights(const float *taps, int64_t tap, float *to, int64_t step) {
  const __m512 half = _mm512_set1_ps(0.5f);
  __m512 t[4][3];
#pragma clang loop unroll(full)
  for (int j = 0; j < 3; ++j) {
    const __m512 g0 = _mm512_loadu_ps(taps + j * tap), g1 = _mm512_loadu_ps(taps + (3 + j) * tap),
                 g2 = _mm512_loadu_ps(taps + (6 + j) * tap), ends = _mm512_add_ps(g0, g2);
    t[0][j] = g0;
    t[1][j] = _mm512_mul_ps(half, _mm512_add_ps(ends, g1));
    t[2][j] = _mm512_mul_ps(half, _mm512_sub_ps(ends, g1));
    t[3][j] = g2;
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; ++i, to += 4 * step) {
    const __m512 ends = _mm512_add_ps(t[i][0], t[i][2]);
    _mm512_storeu_ps(to, t[i][0]);
    _mm512_storeu_ps(to + step, _mm512_mul_ps(half, _mm512_add_ps(ends, t[i][1])));
    _mm512_storeu_ps(to + 2 * step, _mm512_mul_ps(half, _mm512_sub_ps(ends, t[i][1])));
    _mm512_storeu_ps(to + 3 * step, t[i][2]);
  }
}

void dk_winograd_weight_sums(const float *sums, int64_t step, float *taps, int64_t tap) {
  const __m512 half = _mm512_set1_ps(0.5f);
  __m512 t[3][4];
#pragma clang loop unroll(full)
  for (int j = 0; j < 4; ++j) {
    const __m512 m0 = _mm512_loadu_ps(sums + j * step), m1 = _mm512_loadu_ps(sums + (4 + j) * step),
                 m2 = _mm512_loadu_ps(sums + (8 + j) * step), m3 = _mm512_loadu_ps(sums + (12 + j) * step),
                 both = _mm512_mul_ps(half, _mm512_add_ps(m1, m2));
    t[0][j] = _mm512_add_ps(m0, both);
    t[1][j] = _mm512_mul_ps(half, _mm512_sub_ps(m1, m2));
    t[2][j] = _mm512_add_ps(both, m3);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 3; ++i, taps += 3 * tap) {
    const __m512 both = _mm512_mul_ps(half, _mm512_add_ps(t[i][1], t[i][2]));
    _mm512_storeu_ps(taps, _mm512_add_ps(t[i][0], both));
    _mm512_storeu_ps(taps + tap, _mm512_mul_ps(half, _mm512_sub_ps(t[i][1], t[i][2])));
    _mm512_storeu_ps(taps + 2 * tap, _mm512_add_ps(both, t[i][3]));
  }
}
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target(BASE_TARGET ",avx512bf16"), min_vector_width(512))), apply_to = function)
// One half of words, or (the even slots first) both.
static inline __attribute__((always_inline)) void store_pair(uint32_t *at, int64_t slot, __m512 value) {
  const __m512i bits = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(value));
  _mm512_storeu_si512(at, slot % 2 ? _mm512_or_si512(_mm512_loadu_si512(at), _mm512_slli_epi32(bits, 16)) : bits);
}

#define NAME(name) name##_pairs
#define ELEMENT uint32_t
#define STORE(at, in_pairs, slot, value) store_pair(at, slot, value)
#include "dk_winograd_rows.h"
#undef NAME
#undef ELEMENT
#undef STORE

#define NAME(name) name##_halves
#define ELEMENT uint16_t
#define STORE(at, in_pairs, slot, value) _mm256_storeu_si256((__m256i *)(at), (__m256i)_mm512_cvtneps_pbh(value))
#include "dk_winograd_rows.h"
#undef NAME
#undef ELEMENT
#undef STORE

static void input_row_rounded(
  const dk_winograd *w, const float *plane, int64_t tile_row, int64_t slot, const dk_transformed *to) {
  if (to->in_pairs)
    input_row_pairs(w, plane, tile_row, slot, to, 1);
  else
    input_row_halves(w, plane, tile_row, slot, to, 0);
}

static void slope_row_rounded(
  const dk_winograd *w, const float *plane, int64_t tile_row, int64_t slot, const dk_transformed *to) {
  if (to->in_pairs)
    slope_row_pairs(w, plane, tile_row, slot, to, 1);
  else
    slope_row_halves(w, plane, tile_row, slot, to, 0);
}
#pragma clang attribute pop

void dk_winograd_input_row(
  const dk_winograd *w, const float *plane, int64_t tile_row, int64_t slot, const dk_transformed *to) {
  (w->bfloat16 ? input_row_rounded : input_row_floats_of)(w, plane, tile_row, slot, to);
}

void dk_winograd_slope_row(
  const dk_winograd *w, const float *plane, int64_t tile_row, int64_t slot, const dk_transformed *to) {
  (w->bfloat16 ? slope_row_rounded : slope_row_floats_of)(w, plane, tile_row, slot, to);
}
#endif
