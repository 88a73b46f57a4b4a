// Innermost loops that read windows, or rows of pairs, from where they lie: of float words, or of pairs of bfloat16.
#pragma once
#include <stdint.h>

enum { dk_row_height = 14, dk_row_width = 32 };

// A tap that lies inside: where it reads, in words from the first window, and which of the panel's.
typedef struct {
  int64_t offset, tap;
} dk_tap;

/// c[i][0..<32] = bias, or what is there, + Σ over taps and words of a[tap.offset + i · pitch + word] · panel[tap][word].
typedef void (*dk_row_tile)(
  const dk_tap *taps, int64_t count, int64_t words, const float *a, const float *panel, float *c, int64_t stride,
  const float *bias, int add);

/// Tiles of 1 to 14 rows whose windows are `pitch` words apart; null where there are none for this distance.
const dk_row_tile *dk_row_tiles(int bfloat16, int64_t pitch);

/// c[i][0..<32] += Σ over rows and steps of a[step · a_step + i] · b[step · b_step + 0..<32]; `rows` has a and b by turns.
typedef void (*dk_sum_tile)(
  const uint32_t *const *rows, int64_t count, int64_t steps, int64_t a_step, int64_t b_step, float *c, int64_t stride);

/// Tiles of 1 to 14 rows.
const dk_sum_tile *dk_sum_tiles(int bfloat16);
