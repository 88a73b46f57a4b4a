#include "dk_after.h"

#include "dk_activation.h"
#include "dk_parallel.h"

typedef void (*row_function)(const dk_after *a, float *c, int64_t at, int64_t column, int columns);

// One row of a tile; `value` and `slope` are the activation's.
#define DEFINE_ROW(name, value, slope)                                                                             \
  DK_CLONES static void name##_row(const dk_after *a, float *restrict c, int64_t at, int64_t column, int columns) { \
    if (a->bias) {                                                                                                 \
      const float *restrict bias = a->bias + column;                                                               \
      for (int j = 0; j < columns; ++j) c[j] += bias[j];                                                           \
    }                                                                                                              \
    if (a->kept) {                                                                                                 \
      float *restrict kept = a->kept + at;                                                                         \
      for (int j = 0; j < columns; ++j) kept[j] = c[j];                                                            \
    }                                                                                                              \
    if (a->gate) {                                                                                                 \
      const float *restrict gate = a->gate + at;                                                                   \
      for (int j = 0; j < columns; ++j) {                                                                          \
        const float v = gate[j];                                                                                   \
        c[j] *= (slope);                                                                                           \
      }                                                                                                            \
    } else if (a->has_activation) {                                                                                \
      for (int j = 0; j < columns; ++j) {                                                                          \
        const float v = c[j];                                                                                      \
        c[j] = (value);                                                                                            \
      }                                                                                                            \
    }                                                                                                              \
    if (a->scale) {                                                                                                \
      const float *restrict scale = a->scale + column;                                                             \
      for (int j = 0; j < columns; ++j) c[j] *= scale[j];                                                          \
    }                                                                                                              \
    if (a->residual) {                                                                                             \
      const float *restrict residual = a->residual + at;                                                           \
      for (int j = 0; j < columns; ++j) c[j] += residual[j];                                                       \
    }                                                                                                              \
  }

DEFINE_ROW(relu, v > 0.0f ? v : (v != v ? v : 0.0f), v > 0.0f ? 1.0f : 0.0f)
DEFINE_ROW(gelu, gelu_value(v), gelu_factor(v))
DEFINE_ROW(gelu_tanh, gelu_tanh_value(v), gelu_tanh_factor(v))
DEFINE_ROW(quick_gelu, v * dk_logisticf(1.702f * v), swish_factor(v, 1.702f))
DEFINE_ROW(silu, v * dk_logisticf(v), swish_factor(v, 1.0f))

static row_function row_of(const dk_after *a) {
  if (!a->has_activation) return relu_row;  // which one does not matter
  switch (a->activation) {
    case dk_gelu: return gelu_row;
    case dk_gelu_tanh: return gelu_tanh_row;
    case dk_quick_gelu: return quick_gelu_row;
    case dk_silu: return silu_row;
    default: return relu_row;
  }
}

void dk_after_tile(
  const dk_after *a, float *c, int64_t stride, int64_t row, int64_t column, int rows, int columns) {
  const row_function run = row_of(a);
  for (int i = 0; i < rows; ++i) run(a, c + i * stride, (row + i) * a->stride + column, column, columns);
}
