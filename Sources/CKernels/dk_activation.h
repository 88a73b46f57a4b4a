// Activations and their slopes, for loops that compilers vectorise.
#pragma once
#include "dk_math.h"

#define SQRT_HALF 0.707106781186547524f
#define INVERSE_SQRT_TWO_PI 0.398942280401432678f
#define SQRT_TWO_OVER_PI 0.797884560802865356f

DK_INLINE float gelu_factor(float v) {
  float density = INVERSE_SQRT_TWO_PI * dk_expf(-0.5f * v * v);
  float slope = fabsf(v) > 20.0f ? 0.0f : v * density;  // keeps infinity · 0 out
  return 0.5f * (1.0f + dk_erff(v * SQRT_HALF)) + slope;
}

DK_INLINE float gelu_tanh_factor(float v) {
  float t = dk_tanhf(SQRT_TWO_OVER_PI * (v + 0.044715f * v * v * v));
  float slope = 0.5f * v * (1.0f - t * t) * SQRT_TWO_OVER_PI * (1.0f + 3.0f * 0.044715f * v * v);
  return 0.5f * (1.0f + t) + (fabsf(v) > 20.0f ? 0.0f : slope);
}

DK_INLINE float swish_factor(float v, float a) {
  float s = dk_logisticf(a * v);
  return s + (fabsf(v) > 200.0f ? 0.0f : a * v * s * (1.0f - s));
}

DK_INLINE float gelu_value(float v) { return 0.5f * v * (1.0f + dk_erff(v * SQRT_HALF)); }
DK_INLINE float gelu_tanh_value(float v) {
  return 0.5f * v * (1.0f + dk_tanhf(SQRT_TWO_OVER_PI * (v + 0.044715f * v * v * v)));
}
