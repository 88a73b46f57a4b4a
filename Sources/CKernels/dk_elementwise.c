#include "dk_elementwise.h"

#include "dk_activation.h"
#include "dk_math.h"
#include "dk_parallel.h"

// A thread is worth starting for about this many elements (some 10 µs of work).
enum { grain = 16384 };

// MARK: One operand

typedef void (*unary_kernel)(const float *x, float *y, size_t count);
typedef void (*unary_gradient_kernel)(const float *x, const float *g, float *d, size_t count);

// The value is in terms of v = x[i]; the gradient factor too, where v is f's result for the ops marked (y).
#define DEFINE_UNARY(name, value, factor)                                                         \
  DK_CLONES static void name##_forward(const float *x, float *y, size_t count) {                  \
    for (size_t i = 0; i < count; i++) {                                                          \
      float v = x[i];                                                                             \
      y[i] = (value);                                                                             \
    }                                                                                             \
  }                                                                                               \
  DK_CLONES static void name##_gradient(const float *x, const float *g, float *d, size_t count) { \
    for (size_t i = 0; i < count; i++) {                                                          \
      float v = x[i];                                                                             \
      (void)v;                                                                                    \
      d[i] = g[i] * (factor);                                                                     \
    }                                                                                             \
  }

// Activations that products may end with: sixteen at a time.
#define DEFINE_ACTIVATION(name)                                                                   \
  DK_INLINE void name##_lanes(const float *x, const float *g, float *y, int count) {              \
    lanes v, slope, gradient;                                                                     \
    lanes_load(&v, x, count);                                                                     \
    name##_both(&v, &slope);                                                                       \
    if (g) {                                                                                      \
      lanes_load(&gradient, g, count);                                                            \
      v = gradient * slope;                                                                       \
    }                                                                                             \
    lanes_store(y, &v, count);                                                                    \
  }                                                                                               \
  DK_CLONES static void name##_forward(const float *x, float *y, size_t count) {                  \
    size_t i = 0;                                                                                 \
    for (; i + dk_lanes <= count; i += dk_lanes) name##_lanes(x + i, 0, y + i, dk_lanes);         \
    if (i < count) name##_lanes(x + i, 0, y + i, (int)(count - i));                               \
  }                                                                                               \
  DK_CLONES static void name##_gradient(const float *x, const float *g, float *d, size_t count) { \
    size_t i = 0;                                                                                 \
    for (; i + dk_lanes <= count; i += dk_lanes) name##_lanes(x + i, g + i, d + i, dk_lanes);     \
    if (i < count) name##_lanes(x + i, g + i, d + i, (int)(count - i));                           \
  }

// GELU cut off at 10; below, it never comes near -10.
DK_INLINE void gelu_10_both(lanes *x, lanes *slope) {
  gelu_both(x, slope);
  *slope = *x > 10.0f ? (lanes)0.0f : *slope;
  *x = *x > 10.0f ? (lanes)10.0f : *x;
}

// tanh(log(1 + e^v)) = n / (n + 2) with n = e^v (e^v + 2); from 20 on it is 1.
DK_INLINE float mish_n(float v) {
  const float e = dk_expf(v < 20.0f ? v : 20.0f);
  return e * (e + 2.0f);
}

DK_INLINE float mish_slope(float v) {
  const float n = mish_n(v), t = n / (n + 2.0f), other = 2.0f / (n + 2.0f);
  return t + v * (other * (1.0f + t)) * dk_logisticf(v);
}

DEFINE_ACTIVATION(relu)
DEFINE_ACTIVATION(gelu_10)
DEFINE_ACTIVATION(gelu)
DEFINE_ACTIVATION(gelu_tanh)
DEFINE_ACTIVATION(quick_gelu)
DEFINE_ACTIVATION(silu)
DEFINE_UNARY(sigmoid, dk_logisticf(v), v * (1.0f - v))       // (y)
DEFINE_UNARY(hyperbolic_tangent, dk_tanhf(v), 1.0f - v * v)  // (y)
DEFINE_UNARY(exponential, dk_expf(v), v)                     // (y)
DEFINE_UNARY(logarithm, logf(v), 1.0f / v)
DEFINE_UNARY(square_root, __builtin_elementwise_sqrt(v),  // sqrtf may set errno, which keeps loops scalar
              0.5f / v)  // (y)
DEFINE_UNARY(square, v *v, 2.0f * v)
DEFINE_UNARY(magnitude, fabsf(v), v > 0.0f ? 1.0f : (v < 0.0f ? -1.0f : 0.0f))
DEFINE_UNARY(negate, -v, -1.0f)
DEFINE_UNARY(reciprocal, 1.0f / v, -v * v)  // (y)
DEFINE_UNARY(softplus, (v > 0.0f ? v : 0.0f) + log1pf(dk_expf(-fabsf(v))), dk_logisticf(v))
DEFINE_UNARY(identity, v, 1.0f)
DEFINE_UNARY(leaky_relu, v > 0.0f ? v : 0.01f * v, v > 0.0f ? 1.0f : 0.01f)
DEFINE_UNARY(relu6, 0.0f > v ? 0.0f : (v > 6.0f ? 6.0f : v), v > 0.0f && v < 6.0f ? 1.0f : 0.0f)
DEFINE_UNARY(relu_squared, 0.0f > v ? 0.0f : v * v, v > 0.0f ? 2.0f * v : 0.0f)
DEFINE_UNARY(mish, v * (mish_n(v) / (mish_n(v) + 2.0f)), mish_slope(v))
DEFINE_UNARY(hard_swish, v < -3.0f ? 0.0f : (v > 3.0f ? v : v * (v + 3.0f) * (1.0f / 6.0f)),
             v < -3.0f ? 0.0f : (v > 3.0f ? 1.0f : v * (1.0f / 3.0f) + 0.5f))

static const struct {
  unary_kernel forward;
  unary_gradient_kernel gradient;
} unary_kernels[dk_unary_count] = {
    [dk_relu] = {relu_forward, relu_gradient},
    [dk_gelu] = {gelu_forward, gelu_gradient},
    [dk_gelu_tanh] = {gelu_tanh_forward, gelu_tanh_gradient},
    [dk_quick_gelu] = {quick_gelu_forward, quick_gelu_gradient},
    [dk_silu] = {silu_forward, silu_gradient},
    [dk_sigmoid] = {sigmoid_forward, sigmoid_gradient},
    [dk_tanh] = {hyperbolic_tangent_forward, hyperbolic_tangent_gradient},
    [dk_exp] = {exponential_forward, exponential_gradient},
    [dk_log] = {logarithm_forward, logarithm_gradient},
    [dk_sqrt] = {square_root_forward, square_root_gradient},
    [dk_square] = {square_forward, square_gradient},
    [dk_abs] = {magnitude_forward, magnitude_gradient},
    [dk_negate] = {negate_forward, negate_gradient},
    [dk_reciprocal] = {reciprocal_forward, reciprocal_gradient},
    [dk_softplus] = {softplus_forward, softplus_gradient},
    [dk_identity] = {identity_forward, identity_gradient},
    [dk_gelu_10] = {gelu_10_forward, gelu_10_gradient},
    [dk_leaky_relu] = {leaky_relu_forward, leaky_relu_gradient},
    [dk_relu6] = {relu6_forward, relu6_gradient},
    [dk_relu_squared] = {relu_squared_forward, relu_squared_gradient},
    [dk_mish] = {mish_forward, mish_gradient},
    [dk_hard_swish] = {hard_swish_forward, hard_swish_gradient},
};

struct unary {
  dk_unary op;
  const float *x, *g;
  float *y;
};

static void apply_piece(void *context, size_t begin, size_t end) {
  struct unary *u = context;
  unary_kernels[u->op].forward(u->x + begin, u->y + begin, end - begin);
}

static void apply_gradient_piece(void *context, size_t begin, size_t end) {
  struct unary *u = context;
  unary_kernels[u->op].gradient(u->x + begin, u->g + begin, u->y + begin, end - begin);
}

void dk_apply(dk_unary op, const float *x, float *y, size_t count) {
  struct unary u = {op, x, 0, y};
  dk_parallel(count, grain, 16, &u, apply_piece);
}

void dk_apply_gradient(dk_unary op, const float *x, const float *g, float *d, size_t count) {
  struct unary u = {op, x, g, d};
  dk_parallel(count, grain, 16, &u, apply_gradient_piece);
}

// MARK: Two operands

typedef void (*binary_kernel)(const float *a, const float *b, float *y, size_t count);
typedef void (*scalar_kernel)(const float *a, float b, float *y, size_t count);

#define DEFINE_BINARY(name, value)                                                                  \
  DK_CLONES static void name##_same(const float *x, const float *z, float *y, size_t count) {       \
    for (size_t i = 0; i < count; i++) {                                                            \
      float a = x[i], b = z[i];                                                                     \
      y[i] = (value);                                                                               \
    }                                                                                               \
  }                                                                                                 \
  DK_CLONES static void name##_scalar(const float *x, float b, float *y, size_t count) {            \
    for (size_t i = 0; i < count; i++) {                                                            \
      float a = x[i];                                                                               \
      y[i] = (value);                                                                               \
    }                                                                                               \
  }

DEFINE_BINARY(add, a + b)
DEFINE_BINARY(subtract, a - b)
DEFINE_BINARY(multiply, a *b)
DEFINE_BINARY(divide, a / b)
DEFINE_BINARY(maximum, a > b ? a : b)
DEFINE_BINARY(minimum, a < b ? a : b)

static const struct {
  binary_kernel same;
  scalar_kernel scalar;
} binary_kernels[dk_binary_count] = {
    [dk_add] = {add_same, add_scalar},
    [dk_subtract] = {subtract_same, subtract_scalar},
    [dk_multiply] = {multiply_same, multiply_scalar},
    [dk_divide] = {divide_same, divide_scalar},
    [dk_maximum] = {maximum_same, maximum_scalar},
    [dk_minimum] = {minimum_same, minimum_scalar},
};

struct binary {
  dk_binary op;
  const float *a, *b;
  float *y;
  size_t columns;
};

static void combine_piece(void *context, size_t begin, size_t end) {
  struct binary *p = context;
  binary_kernels[p->op].same(p->a + begin, p->b + begin, p->y + begin, end - begin);
}

static void combine_row_piece(void *context, size_t begin, size_t end) {
  struct binary *p = context;
  binary_kernel kernel = binary_kernels[p->op].same;
  for (size_t r = begin; r < end; r++) kernel(p->a + r * p->columns, p->b, p->y + r * p->columns, p->columns);
}

static void combine_column_piece(void *context, size_t begin, size_t end) {
  struct binary *p = context;
  scalar_kernel kernel = binary_kernels[p->op].scalar;
  for (size_t r = begin; r < end; r++) kernel(p->a + r * p->columns, p->b[r], p->y + r * p->columns, p->columns);
}

void dk_combine(dk_binary op, const float *a, const float *b, float *y, size_t count) {
  struct binary p = {op, a, b, y, 0};
  dk_parallel(count, grain, 16, &p, combine_piece);
}

void dk_combine_row(dk_binary op, const float *a, const float *b, float *y, size_t rows, size_t columns) {
  struct binary p = {op, a, b, y, columns};
  dk_parallel(rows, 1 + grain / (columns ? columns : 1), 1, &p, combine_row_piece);
}

void dk_combine_column(dk_binary op, const float *a, const float *b, float *y, size_t rows, size_t columns) {
  struct binary p = {op, a, b, y, columns};
  dk_parallel(rows, 1 + grain / (columns ? columns : 1), 1, &p, combine_column_piece);
}

// MARK: Scaling

struct affine {
  const float *x, *g;
  float a, b;
  float *y;
};

DK_CLONES static void affine_range(const float *x, float a, float b, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] = a * x[i] + b;
}

DK_CLONES static void accumulate_range(const float *x, float a, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] += a * x[i];
}

DK_CLONES static void clamp_range(const float *x, float low, float high, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float v = x[i];
    v = v < low ? low : v;
    y[i] = v > high ? high : v;
  }
}

DK_CLONES static void clamp_gradient_range(const float *x, const float *g, float low, float high, float *d,
                                           size_t count) {
  for (size_t i = 0; i < count; i++) d[i] = ((x[i] >= low) & (x[i] <= high)) ? g[i] : 0.0f;
}

static void affine_piece(void *context, size_t begin, size_t end) {
  struct affine *p = context;
  affine_range(p->x + begin, p->a, p->b, p->y + begin, end - begin);
}

static void accumulate_piece(void *context, size_t begin, size_t end) {
  struct affine *p = context;
  accumulate_range(p->x + begin, p->a, p->y + begin, end - begin);
}

static void clamp_piece(void *context, size_t begin, size_t end) {
  struct affine *p = context;
  clamp_range(p->x + begin, p->a, p->b, p->y + begin, end - begin);
}

static void clamp_gradient_piece(void *context, size_t begin, size_t end) {
  struct affine *p = context;
  clamp_gradient_range(p->x + begin, p->g + begin, p->a, p->b, p->y + begin, end - begin);
}

void dk_affine(const float *x, float a, float b, float *y, size_t count) {
  struct affine p = {x, 0, a, b, y};
  dk_parallel(count, grain, 16, &p, affine_piece);
}

void dk_accumulate(const float *x, float a, float *y, size_t count) {
  struct affine p = {x, 0, a, 0, y};
  dk_parallel(count, grain, 16, &p, accumulate_piece);
}

void dk_clamp(const float *x, float low, float high, float *y, size_t count) {
  struct affine p = {x, 0, low, high, y};
  dk_parallel(count, grain, 16, &p, clamp_piece);
}

void dk_clamp_gradient(const float *x, const float *g, float low, float high, float *d, size_t count) {
  struct affine p = {x, g, low, high, d};
  dk_parallel(count, grain, 16, &p, clamp_gradient_piece);
}
