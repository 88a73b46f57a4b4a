// Activations with their slopes, sixteen numbers at a time. Both come of one exponential, so that a layer which will
// need the slope makes it on its way forward. Values replace their operands; NaN stays NaN.
#pragma once
#include "dk_lanes.h"

// `a < b ? a : b` and the like take the second operand where one is NaN: the order of operands below is meant.
DK_INLINE lanes lanes_minimum(lanes a, lanes b) { return a < b ? a : b; }
DK_INLINE lanes lanes_maximum(lanes a, lanes b) { return a > b ? a : b; }
DK_INLINE lanes lanes_magnitude(lanes v) { return (lanes)((int_lanes)v & 0x7fffffff); }

// e^x for -87 < x < 87; the relative error is 1e-7 and that of x's rounding, 6e-8 |x|.
DK_INLINE lanes exp_within(lanes x) {
  const lanes shifted = x * 1.44269504f + 12582912.0f;  // rounds to the nearest integer in the low mantissa bits
  const lanes r = x * 1.44269504f - (shifted - 12582912.0f);
  lanes p = 1.3407259e-3f;
  p = p * r + 9.6718753e-3f;
  p = p * r + 5.5503085e-2f;
  p = p * r + 2.4022235e-1f;
  p = p * r + 6.9314724e-1f;
  p = p * r + 1.0f;
  // What the shift added is a multiple of 2^9, and leaves with the upper bits.
  return p * (lanes)(((int_lanes)shifted << 23) + 0x3f800000);
}

// x Φ(x) = max(x, 0) - |x| Φ(-|x|), and Φ(-a) = e^(-a²/2) t P(t) with t = 1 / (1 + 0.3 a), to 2e-7 of itself.
DK_INLINE void gelu_both(lanes *x, lanes *slope) {
  const lanes v = *x, a = lanes_minimum(lanes_magnitude(v), (lanes)13.0f);
  const lanes bell = exp_within(a * a * -0.5f);
  const lanes t = 1.0f / (1.0f + 0.3f * a);
  lanes p = 3.6195032e-2f;
  p = p * t - 1.5937899e-1f;
  p = p * t + 2.1011947e-1f;
  p = p * t - 5.7168275e-2f;
  p = p * t + 1.3041690e-1f;
  p = p * t + 9.9347003e-2f;
  p = p * t + 1.2084555e-1f;
  p = p * t + 1.1962326e-1f;
  const lanes below = bell * (t * p);
  const lanes left = below - a * bell * 0.398942280401432678f;
  *slope = v > 0.0f ? 1.0f - left : left;
  *x = ((lanes)0.0f > v ? (lanes)0.0f : v) - a * below;
}

// v σ(z) and its slope, σ(z) + v σ(z) σ(-z) dz/dv, for z within ±80.
DK_INLINE lanes gated_both(lanes v, lanes z, lanes v_times_dz, lanes *slope) {
  const lanes e = exp_within(-z), s = 1.0f / (1.0f + e);
  *slope = s + v_times_dz * (s * (s * e));
  return v * s;
}

DK_INLINE lanes lanes_clamped(lanes v, float most) {
  return lanes_maximum((lanes)-most, lanes_minimum((lanes)most, v));
}

DK_INLINE lanes swish_both(lanes v, float factor, lanes *slope) {
  const lanes z = lanes_clamped(v * factor, 80.0f);
  return gated_both(v, z, z, slope);
}

DK_INLINE void quick_gelu_both(lanes *x, lanes *slope) { *x = swish_both(*x, 1.702f, slope); }
DK_INLINE void silu_both(lanes *x, lanes *slope) { *x = swish_both(*x, 1.0f, slope); }

// x (1 + tanh u) / 2 is x σ(2u), u = √(2/π) (x + 0.044715 x³).
DK_INLINE void gelu_tanh_both(lanes *x, lanes *slope) {
  const lanes w = lanes_clamped(*x, 10.0f), square = w * w;
  const lanes z = lanes_clamped(w * (1.59576912f + 0.0713548162f * square), 80.0f);
  *x = gated_both(*x, z, w * (1.59576912f + 3.0f * 0.0713548162f * square), slope);
}

DK_INLINE void relu_both(lanes *x, lanes *slope) {
  *slope = *x > 0.0f ? (lanes)1.0f : (lanes)0.0f;
  *x = (lanes)0.0f > *x ? (lanes)0.0f : *x;
}
