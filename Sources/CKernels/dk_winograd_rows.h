// Transforms of tiles, included once for each kind of stored numbers: STORE(at, in_pairs, slot, value) writes sixteen
// channels to element `at`.

static inline __attribute__((always_inline)) void NAME(input_row)(
  const dk_winograd *w, const float *plane, int64_t tile_row, int64_t slot, const dk_transformed *to,
  const int in_pairs) {
  const int64_t C = w->in_channels, W = w->in[2];
  const float *rows[4];
  __mmask16 inside[4];
  for (int i = 0; i < 4; ++i) {
    const int64_t y = 2 * tile_row - w->low[1] + i;
    inside[i] = y >= 0 && y < w->in[1] ? 0xffff : 0;
    rows[i] = plane + (inside[i] ? y : 0) * W * C;
  }
  for (int64_t tile = 0; tile < w->across; ++tile) {
    const int64_t x = 2 * tile - w->low[2], s = slot + tile;
    int64_t pixel[4];
    __mmask16 masks[4];
    for (int j = 0; j < 4; ++j) {
      masks[j] = x + j >= 0 && x + j < W ? 0xffff : 0;
      pixel[j] = (masks[j] ? x + j : 0) * C;
    }
    ELEMENT *group = (ELEMENT *)to->base + (in_pairs ? s / 2 : s) * to->panel;
    for (int64_t c = 0, within = 0; c < C; c += 16) {
      __m512 t[4][4];
      // The next tile's new columns; rows lie too far apart for the processor to guess.
      for (int i = 0; i < 4; ++i) {
        __builtin_prefetch(rows[i] + pixel[3] + C + c);
        __builtin_prefetch(rows[i] + pixel[3] + 2 * C + c);
      }
#pragma clang loop unroll(full)
      for (int j = 0; j < 4; ++j) {
#define LOAD(i) _mm512_maskz_loadu_ps(inside[i] & masks[j], rows[i] + pixel[j] + c)
        const __m512 d0 = LOAD(0), d1 = LOAD(1), d2 = LOAD(2), d3 = LOAD(3);
#undef LOAD
        t[0][j] = _mm512_sub_ps(d0, d2);
        t[1][j] = _mm512_add_ps(d1, d2);
        t[2][j] = _mm512_sub_ps(d2, d1);
        t[3][j] = _mm512_sub_ps(d1, d3);
      }
      ELEMENT *at = group + within;
      within += 16;
      if (within == to->panel) (within = 0, group += to->panel_step);
#pragma clang loop unroll(full)
      for (int i = 0; i < 4; ++i, at += 4 * to->step) {
        STORE(at, in_pairs, s, _mm512_sub_ps(t[i][0], t[i][2]));
        STORE(at + to->step, in_pairs, s, _mm512_add_ps(t[i][1], t[i][2]));
        STORE(at + 2 * to->step, in_pairs, s, _mm512_sub_ps(t[i][2], t[i][1]));
        STORE(at + 3 * to->step, in_pairs, s, _mm512_sub_ps(t[i][1], t[i][3]));
      }
    }
  }
}

static inline __attribute__((always_inline)) void NAME(slope_row)(
  const dk_winograd *w, const float *plane, int64_t tile_row, int64_t slot, const dk_transformed *to,
  const int in_pairs) {
  const int64_t C = w->out_channels, H = w->out[1], W = w->out[2], y = 2 * tile_row;
  const __m512 nothing = _mm512_setzero_ps();
  for (int64_t c = 0; c < C; c += 16) {
    ELEMENT *const base = (ELEMENT *)to->base + c / to->panel * to->panel_step + c % to->panel;
    for (int64_t tile = 0; tile < w->across; ++tile) {
      const float *corner = plane + (y * W + 2 * tile) * C + c;
      const int lower = y + 1 < H, right = 2 * tile + 1 < W;
      const __m512 a = _mm512_loadu_ps(corner), b = right ? _mm512_loadu_ps(corner + C) : nothing,
                   d = lower ? _mm512_loadu_ps(corner + W * C) : nothing,
                   e = lower && right ? _mm512_loadu_ps(corner + W * C + C) : nothing;
      const __m512 left[4] = {a, _mm512_add_ps(a, d), _mm512_sub_ps(a, d), _mm512_sub_ps(nothing, d)},
                   other[4] = {b, _mm512_add_ps(b, e), _mm512_sub_ps(b, e), _mm512_sub_ps(nothing, e)};
      const int64_t s = slot + tile;
      ELEMENT *at = base + (in_pairs ? s / 2 : s) * to->panel;
#pragma clang loop unroll(full)
      for (int i = 0; i < 4; ++i, at += 4 * to->step) {
        STORE(at, in_pairs, s, left[i]);
        STORE(at + to->step, in_pairs, s, _mm512_add_ps(left[i], other[i]));
        STORE(at + 2 * to->step, in_pairs, s, _mm512_sub_ps(left[i], other[i]));
        STORE(at + 3 * to->step, in_pairs, s, _mm512_sub_ps(nothing, other[i]));
      }
    }
  }
}
