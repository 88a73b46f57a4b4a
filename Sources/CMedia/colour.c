// YCbCr to RGB in 16.16 fixed point, chroma interpolated linearly. Integers only: every machine gets the same bytes.
#include "media.h"

static inline uint8_t clip(int32_t x) {
  x >>= 16;
  return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

// One row of chroma at luma resolution in x, times 16 (vertical weights sum to 4, horizontal ones to 2 or 4).
static inline void chroma_row(const uint8_t *near, const uint8_t *far, size_t chroma_width, size_t width, int shift_x,
                       int shift_y, uint16_t *out) {
  // Vertically 4:2:0 chroma lies between two luma rows: 3/4 of the nearer chroma row, 1/4 of the other.
  int a = shift_y ? 3 : 4, b = shift_y ? 1 : 0;
  if (shift_x == 0) {
    for (size_t x = 0; x < width; x++) out[x] = (uint16_t)((a * near[x] + b * far[x]) * 4);
    return;
  }
  if (shift_x == 1) {
    // Sited on the even luma column; the odd one lies half-way to the next.
    size_t x = 0;
    for (; x + 1 < chroma_width; x++) {
      int here = a * near[x] + b * far[x], next = a * near[x + 1] + b * far[x + 1];
      out[2 * x] = (uint16_t)(here * 4);
      out[2 * x + 1] = (uint16_t)((here + next) * 2);
    }
    int here = a * near[x] + b * far[x];
    out[2 * x] = (uint16_t)(here * 4);
    if (2 * x + 1 < width) out[2 * x + 1] = (uint16_t)(here * 4);
    return;
  }
  for (size_t x = 0; x < width; x++) {
    size_t c = x >> shift_x;
    out[x] = (uint16_t)((a * near[c] + b * far[c]) * 4);
  }
}

DK_CLONES void dk_ycbcr_to_rgb(const uint8_t *y, size_t y_stride, const uint8_t *cb, const uint8_t *cr, size_t chroma_stride,
                     size_t width, size_t height, int shift_x, int shift_y, const int32_t c[6], uint8_t *rgb,
                     uint16_t *scratch) {
  size_t chroma_width = (width + (1u << shift_x) - 1) >> shift_x, chroma_height = (height + (1u << shift_y) - 1) >> shift_y;
  uint16_t *u = scratch, *v = scratch + width + 16;
  for (size_t row = 0; row < height; row++) {
    size_t near = row >> shift_y, far = near;
    if (shift_y == 1) {
      if (row & 1) far = near + 1 < chroma_height ? near + 1 : near;
      else far = near > 0 ? near - 1 : near;
    }
    chroma_row(cb + near * chroma_stride, cb + far * chroma_stride, chroma_width, width, shift_x, shift_y == 1, u);
    chroma_row(cr + near * chroma_stride, cr + far * chroma_stride, chroma_width, width, shift_x, shift_y == 1, v);
    const uint8_t *line = y + row * y_stride;
    uint8_t *out = rgb + row * width * 3;
    for (size_t x = 0; x < width; x++) {
      int32_t luma = (line[x] - c[1]) * c[0] + 32768;
      int32_t du = u[x] - 2048, dv = v[x] - 2048;  // times 16
      out[3 * x] = clip(luma + ((dv * c[2]) >> 4));
      out[3 * x + 1] = clip(luma + ((du * c[3] + dv * c[4]) >> 4));
      out[3 * x + 2] = clip(luma + ((du * c[5]) >> 4));
    }
  }
}
