#pragma once
#include <stddef.h>
#include <stdint.h>

// Copies an n-dimensional view into another one of the same shape. Strides count elements; `size` is the bytes of an
// element (1, 2, 4 or 8). `rank` is at most 8. A source stride may be 0 (broadcast).
void dk_copy_strided(int rank, const int64_t *shape, const void *source, const int64_t *source_strides, void *target,
                     const int64_t *target_strides, size_t size);

// Conversions between storage types, element by element.
void dk_bfloat16_to_float(const uint16_t *x, float *y, size_t count);
void dk_float_to_bfloat16(const float *x, uint16_t *y, size_t count);  // to nearest, ties to even
void dk_float16_to_float(const uint16_t *x, float *y, size_t count);
void dk_float_to_float16(const float *x, uint16_t *y, size_t count);  // to nearest, ties to even

// A copy of adjacent floats, on `dk_threads()` threads.
void dk_copy_floats(const float *x, float *y, size_t count);
