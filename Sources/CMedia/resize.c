// Separable resampling in Pillow's fixed point: weights times 2^22, rounded once per direction to a byte.
#include "media.h"

#define BITS 22

static inline uint8_t clip(int32_t x) {
  x >>= BITS;
  return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

DK_CLONES void dk_resize_rows(const uint8_t *source, size_t source_width, uint8_t *target, size_t target_width, size_t rows,
                    const int32_t *bounds, const int32_t *weights, size_t taps) {
  for (size_t y = 0; y < rows; y++) {
    const uint8_t *line = source + y * source_width * 3;
    uint8_t *out = target + y * target_width * 3;
    for (size_t x = 0; x < target_width; x++) {
      const uint8_t *p = line + (size_t)bounds[2 * x] * 3;
      const int32_t *w = weights + x * taps;
      int32_t r = 1 << (BITS - 1), g = r, b = r, n = bounds[2 * x + 1];
      for (int32_t k = 0; k < n; k++) {
        r += p[3 * k] * w[k];
        g += p[3 * k + 1] * w[k];
        b += p[3 * k + 2] * w[k];
      }
      out[3 * x] = clip(r);
      out[3 * x + 1] = clip(g);
      out[3 * x + 2] = clip(b);
    }
  }
}

DK_CLONES void dk_resize_columns(const uint8_t *source, uint8_t *target, size_t row_bytes, size_t target_height,
                       const int32_t *bounds, const int32_t *weights, size_t taps) {
  enum { BLOCK = 256 };
  int32_t sums[BLOCK];
  for (size_t y = 0; y < target_height; y++) {
    const int32_t *w = weights + y * taps;
    int32_t first = bounds[2 * y], n = bounds[2 * y + 1];
    for (size_t x = 0; x < row_bytes; x += BLOCK) {
      size_t width = row_bytes - x < BLOCK ? row_bytes - x : BLOCK;
      for (size_t i = 0; i < width; i++) sums[i] = 1 << (BITS - 1);
      for (int32_t k = 0; k < n; k++) {
        const uint8_t *p = source + (size_t)(first + k) * row_bytes + x;
        int32_t weight = w[k];
        for (size_t i = 0; i < width; i++) sums[i] += p[i] * weight;
      }
      for (size_t i = 0; i < width; i++) target[y * row_bytes + x + i] = clip(sums[i]);
    }
  }
}
