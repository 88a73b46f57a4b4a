#include "dk_after.h"

#include "dk_activation.h"

#define TARGET
#define CLONES DK_CLONES
#define NAME(name) name##_plain
#define LOAD_STORED(v, from, at, count) lanes_load(v, (const float *)(from) + (at), count)
#define STORE_STORED(to, at, v, count) lanes_store((float *)(to) + (at), v, count)
#define FINISH(c, v, count) lanes_store(c, v, count)
#include "dk_after_tile.h"
#undef TARGET
#undef CLONES
#undef NAME
#undef LOAD_STORED
#undef STORE_STORED
#undef FINISH

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"), min_vector_width(512)))
#define CLONES
#define NAME(name) name##_rounded

DK_INLINE TARGET void load_rounded(lanes *v, const void *from, int64_t at, int count) {
  const uint16_t *p = (const uint16_t *)from + at;
  const __m256i bits = count == dk_lanes
    ? _mm256_loadu_si256((const __m256i *)p)
    : _mm256_maskz_loadu_epi16((__mmask16)((1u << count) - 1), p);
  *v = (lanes)_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16);
}

DK_INLINE TARGET void store_rounded(void *to, int64_t at, const lanes *v, int count) {
  uint16_t *p = (uint16_t *)to + at;
  const __m256i bits = (__m256i)_mm512_cvtneps_pbh((__m512)*v);
  if (count == dk_lanes)
    _mm256_storeu_si256((__m256i *)p, bits);
  else
    _mm256_mask_storeu_epi16(p, (__mmask16)((1u << count) - 1), bits);
}

#define LOAD_STORED load_rounded
#define STORE_STORED store_rounded
#define FINISH(c, v, count) \
  if (a->rounded)           \
    store_rounded(a->rounded, at, v, count);  \
  else                      \
    lanes_store(c, v, count)
#include "dk_after_tile.h"
#endif

void dk_after_tile(
  const dk_after *a, float *c, int64_t stride, int64_t row, int64_t column, int rows, int columns) {
#if defined(__x86_64__)
  if (a->halves) {
    tile_rounded(a, c, stride, row, column, rows, columns);
    return;
  }
#endif
  tile_plain(a, c, stride, row, column, rows, columns);
}
