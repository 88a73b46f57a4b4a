// Turned squares out of pictures, in fixed point: every machine gets the same bytes.
#include "media.h"

#include <string.h>

enum { BITS = 11 };

DK_CLONES void dk_turn(const uint8_t *source, size_t width, size_t height, uint8_t *target, size_t size, int64_t x, int64_t y,
             const int64_t steps[4]) {
  static const uint8_t black[3] = {0, 0, 0};
  for (size_t row = 0; row < size; row++) {
    int64_t u = x + (int64_t)row * steps[2], v = y + (int64_t)row * steps[3];
    for (size_t column = 0; column < size; column++, u += steps[0], v += steps[1], target += 3) {
      int64_t left = u >> 16, top = v >> 16;
      if (left < -1 || top < -1 || left >= (int64_t)width || top >= (int64_t)height) {
        memcpy(target, black, 3);
        continue;
      }
      int32_t a = (int32_t)(u & 0xFFFF) >> (16 - BITS), b = (int32_t)(v & 0xFFFF) >> (16 - BITS);
      const int32_t one = 1 << BITS;
      // A picture's own pixels, and black beyond its edges.
      int has_left = left >= 0, has_top = top >= 0, has_right = left + 1 < (int64_t)width, has_bottom = top + 1 < (int64_t)height;
      const uint8_t *p = source + (top * (int64_t)width + left) * 3;
      const uint8_t *corners[4] = {
          has_left && has_top ? p : black, has_right && has_top ? p + 3 : black,
          has_left && has_bottom ? p + (int64_t)width * 3 : black, has_right && has_bottom ? p + (int64_t)width * 3 + 3 : black};
      for (int c = 0; c < 3; c++) {
        int32_t upper = corners[0][c] * (one - a) + corners[1][c] * a, lower = corners[2][c] * (one - a) + corners[3][c] * a;
        target[c] = (uint8_t)(((int64_t)upper * (one - b) + (int64_t)lower * b + (1 << (2 * BITS - 1))) >> (2 * BITS));
      }
    }
  }
}
