#pragma once
#include <stddef.h>
#include <stdint.h>

// Over each row of x [rows, columns].
void dk_softmax(const float *x, float *y, size_t rows, size_t columns);
void dk_log_softmax(const float *x, float *y, size_t rows, size_t columns);
// From the result y and its gradient g.
void dk_softmax_gradient(const float *y, const float *g, float *d, size_t rows, size_t columns);
void dk_log_softmax_gradient(const float *y, const float *g, float *d, size_t rows, size_t columns);

// Strides in elements of [batch, head, row]; the last axis is adjacent.
typedef struct {
  const float *base;
  int64_t batch, head, row;
} dk_heads;

typedef struct {
  int64_t batch, heads, queries, keys, width, value_width;
  float scale;
  int causal;         // query i sees keys 0...i
  dk_heads q, k, v;
  const float *mask;  // null, or added to the scaled products; `mask_strides` of [batch, head, query, key] may be 0
  int64_t mask_strides[4];
  // Dropout of weights: 0 where a random word is below `threshold`, else times `kept`; none where `threshold` is 0. Each
  // query has ⌈keys / 4⌉ blocks of words of its own (dk_random.h), so that backward draws the same ones again.
  uint32_t threshold;
  float kept;
  uint64_t chance_key, chance_lane, chance_position;
} dk_attention;

// o = softmax(scale · q kᵀ + mask) v, in blocks of queries, so that the weights are never stored as a whole. `o` is the
// output (strides like dk_heads), `log_sums` [batch, heads, queries] what backward makes the weights from again.
// A query that may see no key gets 0.
void dk_attention_forward(const dk_attention *a, float *o, const int64_t o_strides[3], float *log_sums);
// dq, dk and dv have the shapes and strides given; each may be null. `o` and `log_sums` are those of the forward pass.
void dk_attention_backward(const dk_attention *a, dk_heads o, const float *log_sums, dk_heads g, float *dq,
                           const int64_t dq_strides[3], float *dk, const int64_t dk_strides[3], float *dv,
                           const int64_t dv_strides[3]);
