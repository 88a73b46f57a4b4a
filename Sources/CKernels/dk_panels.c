#include "dk_panels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

static const float zeros[4096 + 64];  // what a line outside the operand reads

#define DK_INLINE static inline __attribute__((always_inline))
#pragma clang attribute push(                                                                       \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"))), apply_to = function)

// Sixteen lines of sixteen words become sixteen words of sixteen lines.
DK_INLINE void transpose(__m512i r[16]) {
  __m512i t[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // r[4g + j] has words j, j + 4, j + 8, j + 12 of lines 4g to 4g + 3.
#pragma clang loop unroll(full)
  for (int j = 0; j < 4; ++j) {
    const __m512i a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd);
    const __m512i c = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88),
                  d = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
    t[j] = _mm512_shuffle_i32x4(a, c, 0x88);
    t[8 + j] = _mm512_shuffle_i32x4(a, c, 0xdd);
    t[4 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
    t[12 + j] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

DK_INLINE __m512i pairs(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

DK_INLINE __mmask16 first_lanes(int64_t count) {
  return count >= 16 ? (__mmask16)0xffff : count <= 0 ? (__mmask16)0 : (__mmask16)((1u << count) - 1);
}

// Lines from starts[0..<16], sixteen words at a time.
static void pack_lines_plain(const float *const starts[16], int pitch, int64_t terms, float *to) {
  int64_t p = 0;
  for (; p + 16 <= terms; p += 16, to += 16 * pitch) {
    __m512i r[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(starts[i] + p);
    transpose(r);
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; ++i) _mm512_storeu_si512(to + i * pitch, r[i]);
  }
  if (p == terms) return;
  const __mmask16 mask = first_lanes(terms - p);
  __m512i r[16];
  for (int i = 0; i < 16; ++i) r[i] = _mm512_maskz_loadu_epi32(mask, starts[i] + p);
  transpose(r);
  for (int i = 0; i < terms - p; ++i) _mm512_storeu_si512(to + i * pitch, r[i]);
}

static void pack_lines_halved(const float *const starts[16], int pitch, int64_t terms, float *to) {
  int64_t p = 0;
  for (; p + 32 <= terms; p += 32, to += 16 * pitch) {
    __m512i r[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; ++i) r[i] = pairs(_mm512_loadu_ps(starts[i] + p), _mm512_loadu_ps(starts[i] + p + 16));
    transpose(r);
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; ++i) _mm512_storeu_si512(to + i * pitch, r[i]);
  }
  if (p == terms) return;
  const __mmask16 low = first_lanes(terms - p), high = first_lanes(terms - p - 16);
  __m512i r[16];
  for (int i = 0; i < 16; ++i)
    r[i] = pairs(_mm512_maskz_loadu_ps(low, starts[i] + p), _mm512_maskz_loadu_ps(high, starts[i] + p + 16));
  transpose(r);
  for (int i = 0; i < (terms - p + 1) / 2; ++i) _mm512_storeu_si512(to + i * pitch, r[i]);
}

void dk_pack_lines(const float *const *starts, int count, int pitch, int64_t terms, int bfloat16, float *to) {
  for (int group = 0; group < count; group += 16) {
    const float *lines[16];
    for (int i = 0; i < 16; ++i) {
      const float *start = group + i < count ? starts[group + i] : 0;
      lines[i] = start ? start : zeros;
    }
    // Missing lines read zeros, of which there is a stretch only.
    for (int64_t from = 0; from < terms; from += 4096) {
      const int64_t some = terms - from < 4096 ? terms - from : 4096;
      const float *here[16];
      for (int i = 0; i < 16; ++i) here[i] = lines[i] == zeros ? zeros : lines[i] + from;
      if (bfloat16)
        pack_lines_halved(here, pitch, some, to + group + from / 2 * pitch);
      else
        pack_lines_plain(here, pitch, some, to + group + from * pitch);
    }
  }
}

DK_INLINE __m512i interleave(__m512 even, __m512 odd) {
  const __m512i order = _mm512_set_epi16(
    31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16,
    0);
  return _mm512_permutexvar_epi16(order, pairs(even, odd));
}

DK_INLINE void pack_terms(
  const float *const *starts, const float *base, int64_t step, int count, int pitch, int64_t terms, int bfloat16,
  float *to) {
  const __mmask16 m0 = first_lanes(count), m1 = first_lanes(count - 16);
#define START(p) (starts ? (starts[p] ? starts[p] : zeros) : base + (p) * step)
  if (!bfloat16) {
    if (count == 32)
      for (int64_t p = 0; p < terms; ++p, to += pitch) {
        const float *x = START(p);
        _mm512_storeu_ps(to, _mm512_loadu_ps(x));
        _mm512_storeu_ps(to + 16, _mm512_loadu_ps(x + 16));
      }
    else
      for (int64_t p = 0; p < terms; ++p, to += pitch) {
        const float *x = START(p);
        _mm512_mask_storeu_ps(to, m0, _mm512_maskz_loadu_ps(m0, x));
        if (count > 16) _mm512_mask_storeu_ps(to + 16, m1, _mm512_maskz_loadu_ps(m1, x + 16));
      }
    return;
  }
  int64_t p = 0;
  if (count == 32)
    for (; p + 2 <= terms; p += 2, to += pitch) {
      const float *x = START(p), *z = START(p + 1);
      _mm512_storeu_si512(to, interleave(_mm512_loadu_ps(x), _mm512_loadu_ps(z)));
      _mm512_storeu_si512(to + 16, interleave(_mm512_loadu_ps(x + 16), _mm512_loadu_ps(z + 16)));
    }
  for (; p < terms; p += 2, to += pitch) {
    const float *x = START(p), *z = p + 1 < terms ? START(p + 1) : zeros;
    _mm512_mask_storeu_epi32(to, m0, interleave(_mm512_maskz_loadu_ps(m0, x), _mm512_maskz_loadu_ps(m0, z)));
    if (count > 16)
      _mm512_mask_storeu_epi32(
        to + 16, m1, interleave(_mm512_maskz_loadu_ps(m1, x + 16), _mm512_maskz_loadu_ps(m1, z + 16)));
  }
#undef START
}

void dk_pack_terms(const float *const *starts, int count, int pitch, int64_t terms, int bfloat16, float *to) {
  pack_terms(starts, 0, 0, count, pitch, terms, bfloat16, to);
}

static void pack_strided(
  const dk_source *s, int64_t first, int count, int pitch, int64_t from, int64_t terms, int bfloat16, float *to) {
  const float *start = (const float *)s->base + first * s->line + from * s->term;
  if (s->line == 1) {
    pack_terms(0, start, s->term, count, pitch, terms, bfloat16, to);
    return;
  }
  const float *starts[dk_tile_width];
  for (int i = 0; i < count; ++i) starts[i] = start + i * s->line;
  dk_pack_lines(starts, count, pitch, terms, bfloat16, to);
}

// Two terms' numbers side by side, for the first or the last sixteen of thirty-two lines.
DK_INLINE void pack_pair(const uint16_t *x, const uint16_t *z, int count, float *to) {
  const __m512i low = _mm512_set_epi16(
    47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32,
    0);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  if (count == 32) {
    const __m512i a = _mm512_loadu_si512(x), b = z ? _mm512_loadu_si512(z) : _mm512_setzero_si512();
    _mm512_storeu_si512(to, _mm512_permutex2var_epi16(a, low, b));
    _mm512_storeu_si512(to + 16, _mm512_permutex2var_epi16(a, high, b));
    return;
  }
  const __mmask32 mask = (__mmask32)((1ull << count) - 1);
  const __m512i a = _mm512_maskz_loadu_epi16(mask, x),
                b = z ? _mm512_maskz_loadu_epi16(mask, z) : _mm512_setzero_si512();
  _mm512_mask_storeu_epi32(to, first_lanes(count), _mm512_permutex2var_epi16(a, low, b));
  if (count > 16) _mm512_mask_storeu_epi32(to + 16, first_lanes(count - 16), _mm512_permutex2var_epi16(a, high, b));
}

static void pack_rounded(
  const dk_source *s, int64_t first, int count, int pitch, int64_t from, int64_t terms, int bfloat16, float *to) {
  (void)bfloat16;
  const uint16_t *start = (const uint16_t *)s->base + first * s->line + from * s->term;
  if (s->line == 1) {
    for (int64_t p = 0; p < terms; p += 2, start += 2 * s->term, to += pitch)
      pack_pair(start, p + 1 < terms ? start + s->term : 0, count, to);
    return;
  }
  // A pair of terms is one word already.
  const float *starts[dk_tile_width];
  for (int i = 0; i < count; ++i) starts[i] = (const float *)(const void *)(start + i * s->line);
  dk_pack_lines(starts, count, pitch, (terms + 1) / 2, 0, to);
}

static void pack_stacked(
  const dk_source *s, int64_t first, int count, int pitch, int64_t from, int64_t terms, int bfloat16, float *to) {
  const dk_stack *stack = s->context;
  if (stack->rows_are_lines) {
    const float *starts[dk_tile_width];
    for (int i = 0; i < count; ++i) {
      const int64_t row = first + i;
      starts[i] = stack->pieces[row / stack->piece] + row % stack->piece * stack->stride + from;
    }
    dk_pack_lines(starts, count, pitch, terms, bfloat16, to);
    return;
  }
  // Blocks begin at multiples of 32 terms, and so do pieces: no pair is cut.
  while (terms > 0) {
    const int64_t row = from % stack->piece, some = stack->piece - row < terms ? stack->piece - row : terms;
    const float *start = stack->pieces[from / stack->piece] + row * stack->stride + first;
    pack_terms(0, start, stack->stride, count, pitch, some, bfloat16, to);
    to += (bfloat16 ? some / 2 : some) * pitch;
    from += some;
    terms -= some;
  }
}
#pragma clang attribute pop

dk_source dk_stacked_source(const dk_stack *stack) {
  return (dk_source){pack_stacked, 0, 0, 0, stack, stack->rows_are_lines ? 2 : 1};
}

dk_source dk_rounded_source(const uint16_t *base, int64_t line, int64_t term) {
  return (dk_source){pack_rounded, base, line, term, 0, line == 1 ? 1 : 2};
}

dk_source dk_strided_source(const float *base, int64_t line, int64_t term) {
  // With one term, or one line, the other distance may be 1 as well; copying is the cheaper way.
  return (dk_source){pack_strided, base, line, term, 0, line == 1 ? 1 : 2};
}
#endif
