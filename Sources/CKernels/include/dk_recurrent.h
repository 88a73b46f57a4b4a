#pragma once
#include <stdint.h>

// One time step of LSTM and GRU for `batch` sequences of `width` hidden values. `lengths` (null: all run to the end)
// says where each sequence ends; beyond it the state stays and the output is 0.

// gates [batch, 4 width]: sums of products and biases on entry, the activated i, f, g, o on return. `y` may be null.
void dk_lstm_step(int64_t batch, int64_t width, int64_t time, const int64_t *lengths, float *gates, const float *h0,
                  const float *c0, float *h, float *c, float *y);
// dh, dc: gradients of the state after the step on entry, dc that of the cell before it on return (dh's carried part is
// put into dh; the part through the gates is for a product to add). gy: of the output, may be null. dgates: before
// activation.
void dk_lstm_step_gradient(int64_t batch, int64_t width, int64_t time, const int64_t *lengths, const float *gates,
                           const float *c0, const float *c, const float *gy, float *dh, float *dc, float *dgates);

// x [batch, 3 width] = r, z, n from the input; hidden [batch, 3 width] from the state, biases in both. kept [batch, 4 width]
// gets the activated r, z, n and the hidden part of n.
void dk_gru_step(int64_t batch, int64_t width, int64_t time, const int64_t *lengths, const float *x,
                 const float *hidden, const float *h0, float *kept, float *h, float *y);
// dx, dhidden [batch, 3 width]; dh: of the state after the step on entry, its carried part on return.
void dk_gru_step_gradient(int64_t batch, int64_t width, int64_t time, const int64_t *lengths, const float *kept,
                          const float *h0, const float *gy, float *dh, float *dx, float *dhidden);
