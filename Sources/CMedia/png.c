// PNG row filters (PNG specification, section 9). The predictors that look at the pixel to the left are a chain of
// dependent pixels: they are done a whole pixel at a time, which is what makes them fast.
#include "media.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#include <string.h>

static inline __m128i load_pixel(const uint8_t *p, size_t bpp) {
  uint32_t v = 0;
  if (bpp == 4) memcpy(&v, p, 4);
  else v = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
  return _mm_cvtsi32_si128((int)v);
}

static inline void store_pixel(uint8_t *p, __m128i v, size_t bpp) {
  uint32_t x = (uint32_t)_mm_cvtsi128_si32(v);
  if (bpp == 4) {
    memcpy(p, &x, 4);
  } else {
    memcpy(p, &x, 2);
    p[2] = (uint8_t)(x >> 16);
  }
}

static inline __attribute__((always_inline)) void sub_wide(uint8_t *row, size_t n, size_t bpp) {
  __m128i left = _mm_setzero_si128();
  for (size_t i = 0; i + bpp <= n; i += bpp) {
    left = _mm_add_epi8(left, load_pixel(row + i, bpp));
    store_pixel(row + i, left, bpp);
  }
}

static inline __attribute__((always_inline)) void average_wide(uint8_t *row, const uint8_t *above, size_t n, size_t bpp) {
  __m128i left = _mm_setzero_si128();
  const __m128i one = _mm_set1_epi8(1);
  for (size_t i = 0; i + bpp <= n; i += bpp) {
    __m128i up = load_pixel(above + i, bpp);
    // pavgb rounds up, PNG rounds down: take the odd bit off again.
    __m128i mean = _mm_sub_epi8(_mm_avg_epu8(left, up), _mm_and_si128(_mm_xor_si128(left, up), one));
    left = _mm_add_epi8(load_pixel(row + i, bpp), mean);
    store_pixel(row + i, left, bpp);
  }
}

static inline __m128i absolute(__m128i x) { return _mm_max_epi16(x, _mm_sub_epi16(_mm_setzero_si128(), x)); }
static inline __m128i choose(__m128i mask, __m128i a, __m128i b) {
  return _mm_or_si128(_mm_and_si128(mask, a), _mm_andnot_si128(mask, b));
}

static inline __attribute__((always_inline)) void paeth_wide(uint8_t *row, const uint8_t *above, size_t n, size_t bpp) {
  const __m128i zero = _mm_setzero_si128();
  __m128i left = zero, corner = zero;
  for (size_t i = 0; i + bpp <= n; i += bpp) {
    __m128i up = _mm_unpacklo_epi8(load_pixel(above + i, bpp), zero);
    __m128i to_left = _mm_sub_epi16(up, corner);     // |p - left| = |up - corner|
    __m128i to_up = _mm_sub_epi16(left, corner);     // |p - up| = |left - corner|
    __m128i to_corner = absolute(_mm_add_epi16(to_left, to_up));
    to_left = absolute(to_left);
    to_up = absolute(to_up);
    __m128i least = _mm_min_epi16(to_corner, _mm_min_epi16(to_left, to_up));
    __m128i nearest = choose(_mm_cmpeq_epi16(least, to_left), left,
                             choose(_mm_cmpeq_epi16(least, to_up), up, corner));
    corner = up;
    left = _mm_and_si128(_mm_add_epi16(_mm_unpacklo_epi8(load_pixel(row + i, bpp), zero), nearest),
                         _mm_set1_epi16(0xff));
    store_pixel(row + i, _mm_packus_epi16(left, left), bpp);
  }
}
#endif

static uint8_t paeth(int a, int b, int c) {
  int pa = b - c, pb = a - c, pc = pa + pb;
  pa = pa < 0 ? -pa : pa;
  pb = pb < 0 ? -pb : pb;
  pc = pc < 0 ? -pc : pc;
  return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

static void sub(uint8_t *row, size_t n, size_t bpp) {
#if defined(__SSE2__)
  if (bpp == 3) { sub_wide(row, n, 3); return; }
  if (bpp == 4) { sub_wide(row, n, 4); return; }
#endif
  for (size_t i = bpp; i < n; i++) row[i] = (uint8_t)(row[i] + row[i - bpp]);
}

static void average(uint8_t *row, const uint8_t *above, size_t n, size_t bpp) {
#if defined(__SSE2__)
  if (bpp == 3) { average_wide(row, above, n, 3); return; }
  if (bpp == 4) { average_wide(row, above, n, 4); return; }
#endif
  for (size_t i = 0; i < n; i++) {
    int left = i >= bpp ? row[i - bpp] : 0;
    row[i] = (uint8_t)(row[i] + (left + above[i]) / 2);
  }
}

static void paeth_row(uint8_t *row, const uint8_t *above, size_t n, size_t bpp) {
#if defined(__SSE2__)
  if (bpp == 3) { paeth_wide(row, above, n, 3); return; }
  if (bpp == 4) { paeth_wide(row, above, n, 4); return; }
#endif
  for (size_t i = 0; i < n; i++) {
    int left = i >= bpp ? row[i - bpp] : 0, corner = i >= bpp ? above[i - bpp] : 0;
    row[i] = (uint8_t)(row[i] + paeth(left, above[i], corner));
  }
}

int dk_png_unfilter(uint8_t *rows, size_t row_bytes, size_t height, size_t bpp) {
  const uint8_t *above = 0;
  for (size_t y = 0; y < height; y++) {
    uint8_t filter = rows[y * (row_bytes + 1)];
    uint8_t *row = rows + y * (row_bytes + 1) + 1;
    switch (filter) {
      case 0: break;
      case 1: sub(row, row_bytes, bpp); break;
      case 2:
        if (above) for (size_t i = 0; i < row_bytes; i++) row[i] = (uint8_t)(row[i] + above[i]);
        break;
      case 3:
        if (above) average(row, above, row_bytes, bpp);
        else for (size_t i = bpp; i < row_bytes; i++) row[i] = (uint8_t)(row[i] + row[i - bpp] / 2);
        break;
      case 4:
        if (above) paeth_row(row, above, row_bytes, bpp);
        else sub(row, row_bytes, bpp);  // with nothing above, the nearest is always the left one
        break;
      default: return -1;
    }
    above = row;
  }
  return 0;
}
