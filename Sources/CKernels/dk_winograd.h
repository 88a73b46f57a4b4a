// Winograd's minimal filtering F(2x2, 3x3): tiles of 4x4 numbers are transformed so that four outputs of a 3x3 window
// take 16 multiplications, not 36. Taps along depth are summed as usual. Lavin and Gray 2015, arXiv:1509.09308.
#pragma once
#include <stdint.h>

#include "dk_convolution.h"

// Numbers of a transformed tile; floats from one tile's sums to the next: 32 a point, and a line more, so that tiles do not
// fall into the same sets of the caches.
enum { dk_points = 16, dk_winograd_sums_a_tile = dk_points * 32 + 16 };

/// A convolution with 3x3 windows, as its transforms see it; the gradient of the input is another one, over dy.
typedef struct {
  int64_t batch, in_channels, out_channels, in[3], out[3], low[3];
  int64_t depth, depth_stride, depth_dilation;  // taps along depth
  int64_t down, across;                         // tiles of 2x2 outputs
  int bfloat16;
} dk_winograd;

/// Tiles that are worked on together: the tile rows h0..<h1 of samples n0..<n1, at every depth.
typedef struct {
  int64_t n0, n1, h0, h1;
} dk_band;

/// Where transformed numbers go: (point, slot, channel) is at point · step + channel / panel · panel_step + slot · panel +
/// channel % panel. Floats, bfloat16 numbers (both indices then count these), or words of two slots' bfloat16.
typedef struct {
  void *base;
  int64_t step, panel, panel_step;
  int in_pairs;  // only for bfloat16: slot counts halves of words, which hold an even slot and the next
} dk_transformed;

/// BᵀdB of one row of tiles over a plane of the input, into slots from `slot`.
void dk_winograd_input_row(
  const dk_winograd *w, const float *plane, int64_t tile_row, int64_t slot, const dk_transformed *to);
/// A dy Aᵀ of one row of tiles over a plane of the output's gradient.
void dk_winograd_slope_row(
  const dk_winograd *w, const float *plane, int64_t tile_row, int64_t slot, const dk_transformed *to);
/// Aᵀ m A of one row of tiles into 32 channels of the output's plane; sums of a tile lie together.
void dk_winograd_output_row(
  const dk_winograd *w, const float *sums, int64_t tile_row, const float *bias, float *plane);
/// G g Gᵀ for 16 channels: the nine taps lie `tap` floats apart (negative: mirrored), points `step` apart.
void dk_winograd_weights(const float *taps, int64_t tap, float *to, int64_t step);
/// Gᵀ m G for 16 channels.
void dk_winograd_weight_sums(const float *sums, int64_t step, float *taps, int64_t tap);

/// The convolution as above.
dk_winograd dk_winograd_of(const dk_conv *c);
/// A cut of batch and tile rows into at least `least` bands, if there are as many, of at most `most` floats each.
typedef struct {
  int64_t groups, strips;
} dk_bands;
dk_bands dk_winograd_bands(const dk_winograd *w, int64_t floats_a_tile, int64_t most, int64_t least);
dk_band dk_winograd_band(const dk_winograd *w, dk_bands cut, int64_t index);
