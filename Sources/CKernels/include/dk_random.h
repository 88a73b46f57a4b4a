#pragma once
#include <stddef.h>
#include <stdint.h>

// y = x · scale where a random word is at or above `threshold`, else 0. Word i comes from Philox 4×32-10 under `key`, counter
// (position + i / 4, lane), so that backward draws the same words again instead of keeping a mask.
void dk_dropout(const float *x, float *y, size_t count, uint32_t threshold, float scale, uint64_t key, uint64_t lane,
                uint64_t position);

// The same words, changing `values`, and `slopes` (may be null) alike, where they are: floats, or bfloat16 numbers.
void dk_dropout_in_place(void *values, void *slopes, int halves, size_t count, uint32_t threshold, float scale,
                         uint64_t key, uint64_t lane, uint64_t position);
