#pragma once
#include <stddef.h>
#include <stdint.h>

// Element-wise kernels over dense float memory. Each splits its range over `dk_threads()` threads; the bits do not
// depend on how. exp, erf, tanh and the logistic function are polynomials of our own (dk_math.h states their errors).

typedef enum {
  dk_relu, dk_gelu, dk_gelu_tanh, dk_quick_gelu, dk_silu, dk_sigmoid, dk_tanh, dk_exp, dk_log, dk_sqrt, dk_square,
  dk_abs, dk_negate, dk_reciprocal, dk_softplus, dk_identity, dk_gelu_10, dk_leaky_relu, dk_relu6, dk_relu_squared,
  dk_mish, dk_hard_swish, dk_unary_count
} dk_unary;

typedef enum { dk_add, dk_subtract, dk_multiply, dk_divide, dk_maximum, dk_minimum, dk_binary_count } dk_binary;

// y = f(x); x and y may be the same memory.
void dk_apply(dk_unary op, const float *x, float *y, size_t count);
// d = g · f'(x). For sigmoid, tanh, exp, sqrt and reciprocal `x` is f's result (cheaper, and what is kept anyway).
void dk_apply_gradient(dk_unary op, const float *x, const float *g, float *d, size_t count);

// y = a ∘ b, all of the same length; y may be a or b.
void dk_combine(dk_binary op, const float *a, const float *b, float *y, size_t count);
// y[r, c] = a[r, c] ∘ b[c]
void dk_combine_row(dk_binary op, const float *a, const float *b, float *y, size_t rows, size_t columns);
// y[r, c] = a[r, c] ∘ b[r]
void dk_combine_column(dk_binary op, const float *a, const float *b, float *y, size_t rows, size_t columns);

// y = a·x + b
void dk_affine(const float *x, float a, float b, float *y, size_t count);
// y += a·x
void dk_accumulate(const float *x, float a, float *y, size_t count);
void dk_clamp(const float *x, float low, float high, float *y, size_t count);
void dk_clamp_gradient(const float *x, const float *g, float low, float high, float *d, size_t count);

// Sums in a fixed order (blocks of 4096, eight accumulators inside, blocks added pairwise), whatever the thread count.
double dk_sum(const float *x, size_t count);
double dk_sum_of_squares(const float *x, size_t count);
float dk_maximum_magnitude(const float *x, size_t count);  // NaN if any is
int dk_all_finite(const float *x, size_t count);
// y[c] = Σ_r x[r, c], rows added in order within fixed blocks of rows.
void dk_sum_rows(const float *x, float *y, size_t rows, size_t columns);
// The same of bfloat16 numbers.
void dk_sum_rounded_rows(const uint16_t *x, float *y, size_t rows, size_t columns);
// y[r] = Σ_c x[r, c]
void dk_sum_columns(const float *x, float *y, size_t rows, size_t columns);
