// The innermost product, included once for each element type: DOT multiplies and adds sixteen packed words, WORDS names
// the functions. A panel of A has `height` words a step, a panel of B thirty-two; a word is a float, or a pair of
// bfloat16 neighbours along k.

static inline __attribute__((always_inline)) void NAME(tile)(
  const int height, const int vectors, int64_t steps, const float *a, const float *b, float *c, int64_t stride,
  int columns, int add, float alpha) {
  __m512 sum[14][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < height; ++i)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) sum[i][v] = _mm512_setzero_ps();
#pragma clang loop unroll(disable)
  for (int64_t p = 0; p < steps; ++p) {
    __m512 row[2];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) row[v] = _mm512_load_ps(b + 16 * v);
#pragma clang loop unroll(full)
    for (int i = 0; i < height; ++i) {
      const __m512 value = _mm512_set1_ps(a[i]);
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; ++v) sum[i][v] = DOT(sum[i][v], value, row[v]);
    }
    a += height;
    b += 16 * vectors;
  }
  if (alpha != 1.0f) {
    const __m512 factor = _mm512_set1_ps(alpha);
#pragma clang loop unroll(full)
    for (int i = 0; i < height; ++i)
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; ++v) sum[i][v] = _mm512_mul_ps(sum[i][v], factor);
  }
  if (columns == 16 * vectors) {
    if (add) {
#pragma clang loop unroll(full)
      for (int i = 0; i < height; ++i)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; ++v) {
          float *at = c + i * stride + 16 * v;
          _mm512_storeu_ps(at, _mm512_add_ps(sum[i][v], _mm512_loadu_ps(at)));
        }
    } else {
#pragma clang loop unroll(full)
      for (int i = 0; i < height; ++i)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; ++v) _mm512_storeu_ps(c + i * stride + 16 * v, sum[i][v]);
    }
    return;
  }
  const __mmask16 last = (__mmask16)((1u << (columns - 16 * (vectors - 1))) - 1);
#pragma clang loop unroll(full)
  for (int i = 0; i < height; ++i)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) {
      const __mmask16 mask = v == vectors - 1 ? last : (__mmask16)0xffff;
      float *at = c + i * stride + 16 * v;
      __m512 value = sum[i][v];
      if (add) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, at));
      _mm512_mask_storeu_ps(at, mask, value);
    }
}

#define TILE(height)                                                                                              \
  static void NAME(tile_##height##_1)(int64_t steps, const float *a, const float *b, float *c, int64_t stride,    \
                                      int columns, int add, float alpha) {                                        \
    NAME(tile)(height, 1, steps, a, b, c, stride, columns, add, alpha);                                           \
  }                                                                                                               \
  static void NAME(tile_##height##_2)(int64_t steps, const float *a, const float *b, float *c, int64_t stride,    \
                                      int columns, int add, float alpha) {                                        \
    NAME(tile)(height, 2, steps, a, b, c, stride, columns, add, alpha);                                           \
  }
TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12) TILE(13) TILE(14)
#undef TILE

#define BOTH(height) {NAME(tile_##height##_1), NAME(tile_##height##_2)}
static const tile_function NAME(tiles)[14][2] = {BOTH(1), BOTH(2), BOTH(3),  BOTH(4),  BOTH(5),  BOTH(6),  BOTH(7),
                                                 BOTH(8), BOTH(9), BOTH(10), BOTH(11), BOTH(12), BOTH(13), BOTH(14)};
#undef BOTH
