// The loops of dk_window_tiles.h, included once for each kind of words: DOT multiplies and adds sixteen.

static inline __attribute__((always_inline)) void NAME(tile)(
  const int height, const int pitch, const dk_tap *taps, int64_t count, int64_t words, const float *a,
  const float *panel, float *c, int64_t stride, const float *bias, int add) {
  __m512 sum[dk_row_height][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < height; ++i) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
#pragma clang loop unroll(disable)
  for (int64_t t = 0; t < count; ++t) {
    const float *from = a + taps[t].offset, *b = panel + taps[t].tap * words * dk_row_width;
#pragma clang loop unroll(disable)
    for (int64_t p = 0; p < words; ++p, b += dk_row_width, ++from) {
      const __m512 b0 = _mm512_load_ps(b), b1 = _mm512_load_ps(b + 16);
#pragma clang loop unroll(full)
      for (int i = 0; i < height; ++i) {
        const __m512 value = _mm512_set1_ps(from[i * pitch]);
        sum[i][0] = DOT(sum[i][0], value, b0);
        sum[i][1] = DOT(sum[i][1], value, b1);
      }
    }
  }
  const __m512 z0 = bias ? _mm512_loadu_ps(bias) : _mm512_setzero_ps(),
               z1 = bias ? _mm512_loadu_ps(bias + 16) : _mm512_setzero_ps();
#pragma clang loop unroll(full)
  for (int i = 0; i < height; ++i) {
    float *at = c + i * stride;
    _mm512_storeu_ps(at, _mm512_add_ps(sum[i][0], add ? _mm512_loadu_ps(at) : z0));
    _mm512_storeu_ps(at + 16, _mm512_add_ps(sum[i][1], add ? _mm512_loadu_ps(at + 16) : z1));
  }
}

#define TILE(height, pitch)                                                                                      \
  static void NAME(tile_##height##_##pitch)(                                                                     \
    const dk_tap *taps, int64_t count, int64_t words, const float *a, const float *panel, float *c,              \
    int64_t stride, const float *bias, int add) {                                                                \
    NAME(tile)(height, pitch, taps, count, words, a, panel, c, stride, bias, add);                               \
  }
#define TILES(pitch)                                                                                             \
  TILE(1, pitch) TILE(2, pitch) TILE(3, pitch) TILE(4, pitch) TILE(5, pitch) TILE(6, pitch) TILE(7, pitch)       \
  TILE(8, pitch) TILE(9, pitch) TILE(10, pitch) TILE(11, pitch) TILE(12, pitch) TILE(13, pitch) TILE(14, pitch)  \
  static const dk_row_tile NAME(tiles_##pitch)[dk_row_height] = {                                                \
    NAME(tile_1_##pitch),  NAME(tile_2_##pitch),  NAME(tile_3_##pitch),  NAME(tile_4_##pitch),                   \
    NAME(tile_5_##pitch),  NAME(tile_6_##pitch),  NAME(tile_7_##pitch),  NAME(tile_8_##pitch),                   \
    NAME(tile_9_##pitch),  NAME(tile_10_##pitch), NAME(tile_11_##pitch), NAME(tile_12_##pitch),                  \
    NAME(tile_13_##pitch), NAME(tile_14_##pitch)};
TILES(16) TILES(32) TILES(64) TILES(128) TILES(256) TILES(512)
#undef TILES
#undef TILE

// Words between neighbouring windows are constants of the tiles.
static const dk_row_tile *NAME(tiles_of)(int64_t pitch) {
  switch (pitch) {
    case 16: return NAME(tiles_16);
    case 32: return NAME(tiles_32);
    case 64: return NAME(tiles_64);
    case 128: return NAME(tiles_128);
    case 256: return NAME(tiles_256);
    case 512: return NAME(tiles_512);
    default: return 0;
  }
}

static inline __attribute__((always_inline)) void NAME(sum_rows)(
  const int height, const uint32_t *const *rows, int64_t count, int64_t steps, int64_t a_step, int64_t b_step, float *c,
  int64_t stride) {
  __m512 sum[dk_row_height][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < height; ++i) {
    sum[i][0] = _mm512_loadu_ps(c + i * stride);
    sum[i][1] = _mm512_loadu_ps(c + i * stride + 16);
  }
#pragma clang loop unroll(disable)
  for (int64_t r = 0; r < count; ++r) {
    const uint32_t *a = rows[2 * r], *b = rows[2 * r + 1];
#pragma clang loop unroll(disable)
    for (int64_t p = 0; p < steps; ++p, a += a_step, b += b_step) {
      const __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + 16);
#pragma clang loop unroll(full)
      for (int i = 0; i < height; ++i) {
        const __m512 value = _mm512_castsi512_ps(_mm512_set1_epi32((int)a[i]));
        sum[i][0] = DOT(sum[i][0], value, b0);
        sum[i][1] = DOT(sum[i][1], value, b1);
      }
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < height; ++i) {
    _mm512_storeu_ps(c + i * stride, sum[i][0]);
    _mm512_storeu_ps(c + i * stride + 16, sum[i][1]);
  }
}

#define SUM(height)                                                                                              \
  static void NAME(sum_##height)(                                                                                \
    const uint32_t *const *rows, int64_t count, int64_t steps, int64_t a_step, int64_t b_step, float *c,         \
    int64_t stride) {                                                                                            \
    NAME(sum_rows)(height, rows, count, steps, a_step, b_step, c, stride);                                       \
  }
SUM(1) SUM(2) SUM(3) SUM(4) SUM(5) SUM(6) SUM(7) SUM(8) SUM(9) SUM(10) SUM(11) SUM(12) SUM(13) SUM(14)
#undef SUM
static const dk_sum_tile NAME(sums)[dk_row_height] = {
  NAME(sum_1), NAME(sum_2), NAME(sum_3),  NAME(sum_4),  NAME(sum_5),  NAME(sum_6),  NAME(sum_7),
  NAME(sum_8), NAME(sum_9), NAME(sum_10), NAME(sum_11), NAME(sum_12), NAME(sum_13), NAME(sum_14)};
