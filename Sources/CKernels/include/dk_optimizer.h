#pragma once
#include <stddef.h>

// One optimizer step over a stretch of a flat buffer; PyTorch's rules and order of operations.

typedef struct {
  float rate, momentum, gradient_share, weight_decay;  // gradient_share: 1 - dampening
  int nesterov, first_step;
} dk_sgd;
// `velocity` may be null without momentum; the first step copies the gradient whatever the dampening.
void dk_sgd_step(dk_sgd s, float *w, const float *g, float *velocity, size_t count);

typedef struct {
  float rate, gradient_share1, beta2, gradient_share2, epsilon, weight_decay;  // gradient_share: 1 - beta
  int decoupled;                       // AdamW: w shrinks by rate · weight_decay before the step
  float correction1, correction2_root; // 1 - beta1^t, √(1 - beta2^t)
  float gradient_scale;                // of every gradient, before anything else: clipping
} dk_adam;
// `largest` is null without amsgrad. New weights go to `w`; the old ones, `from`, may be the same memory.
void dk_adam_step(dk_adam s, const float *from, float *w, const float *g, float *first, float *second, float *largest, size_t count);
