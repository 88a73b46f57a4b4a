// CMedia: the inner loops of Media that Swift does not vectorise, and the capture of libav's log.
// Everything here is plain C over caller-owned memory; sizes are checked by the Swift side.
//
// Results are the same bits on every machine: integer arithmetic, or float sums in a fixed order without contraction.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Compiled for several generations of x86, chosen when the program is loaded. Only for loops whose result does not
// depend on the choice: integers, and float sums whose order is written out.
#if defined(__x86_64__)
#define DK_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define DK_CLONES
#endif

// Undoes PNG row filters in place. Each of `height` rows is one filter byte followed by `row_bytes` bytes; `bpp` is the
// distance to the byte that a filter predicts from. Returns 0, or -1 when a row names a filter that does not exist.
int dk_png_unfilter(uint8_t *rows, size_t row_bytes, size_t height, size_t bpp);

// Resampling of interleaved RGB bytes along x.
// bounds[2 * i] and bounds[2 * i + 1] are the first source pixel and the number of source pixels of output pixel i;
// weights[i * taps ...] their weights times 2^22 (Pillow's fixed point).
void dk_resize_rows(const uint8_t *source, size_t source_width, uint8_t *target, size_t target_width, size_t rows,
                    const int32_t *bounds, const int32_t *weights, size_t taps);

// The same along y, for rows of `row_bytes` bytes.
void dk_resize_columns(const uint8_t *source, uint8_t *target, size_t row_bytes, size_t target_height,
                       const int32_t *bounds, const int32_t *weights, size_t taps);

// A square of `size` pixels out of an RGB picture, turned and scaled: linear between the four nearest pixels, black
// outside. (x, y) is the place of the first pixel's centre in the source, where pixel (0, 0) is centred at 0; `steps` are x
// and y of a pixel to the right, then of one down. All in 16.16 fixed point.
void dk_turn(const uint8_t *source, size_t width, size_t height, uint8_t *target, size_t size, int64_t x, int64_t y,
             const int64_t steps[4]);

// 8-bit planar YCbCr to interleaved RGB. The chroma planes are `1 << shift_x` by `1 << shift_y` times smaller; chroma is
// interpolated between its samples (sited left in x, centred in y, as H.264 and MPEG-2 place it).
// coefficients: 16.16 fixed point luma gain, luma offset (a byte), red from Cr, green from Cb, green from Cr, blue from Cb.
void dk_ycbcr_to_rgb(const uint8_t *y, size_t y_stride, const uint8_t *cb, const uint8_t *cr, size_t chroma_stride,
                     size_t width, size_t height, int shift_x, int shift_y, const int32_t coefficients[6], uint8_t *rgb,
                     uint16_t *scratch);

// Polyphase filter: target[i] = sum over k of source[start + k] * filters[phase * taps + k], where position i is
// i * step / phases, start its whole part minus (taps / 2 - 1) and phase its remainder. `source` must be readable from
// -(taps / 2) to count + taps / 2: the caller pads it. taps is a multiple of 8.
void dk_polyphase(const float *source, float *target, size_t target_count, uint64_t first, uint64_t step,
                  uint64_t phases, uint64_t table_phases, const float *filters, size_t taps);

// Sum of a[i] * b[i] in eight interleaved running sums.
float dk_dot(const float *a, const float *b, size_t count);

// Sends libav's messages to a buffer of the calling thread instead of standard error. Idempotent.
void dk_capture_av_log(void);

// The calling thread's last message of level error or worse since dk_clear_av_log, or "".
const char *dk_last_av_log(void);
void dk_clear_av_log(void);
