#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

// Branch-free float functions that compilers vectorise. The bounds are the largest errors over every float32 of the
// stated range against float64, with and without fused multiply-add; Tests/TensorTests samples them.
#define DK_INLINE static inline __attribute__((always_inline))

DK_INLINE float dk_bits(int32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// e^x, 2 ulp; 0 below -104, infinity above 88.8; NaN stays NaN.
DK_INLINE float dk_expf(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  float shifted = x * 1.44269504f + 12582912.0f;  // rounds to the nearest integer in the low mantissa bits
  float n = shifted - 12582912.0f;
  int32_t whole;
  memcpy(&whole, &shifted, 4);
  whole -= 0x4b400000;
  float r = x - n * 0.693359375f;  // ln 2 in two parts; the first has few bits, so its product is exact
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  int32_t half = whole >> 1;  // the power of two in two factors: 2^-149 to 2^128 do not fit in one
  return p * dk_bits((half + 127) << 23) * dk_bits((whole - half + 127) << 23);
}

// 1 / (1 + e^-x), 3 ulp.
DK_INLINE float dk_logisticf(float x) { return 1.0f / (1.0f + dk_expf(-x)); }

// tanh x, 3 ulp.
DK_INLINE float dk_tanhf(float x) {
  float s = x * x;
  float p = -5.70498872745e-3f;
  p = p * s + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  float near = p * s * x + x;
  float t = fabsf(x);
  float far = copysignf(1.0f - 2.0f / (dk_expf(2.0f * t) + 1.0f), x);
  return t < 0.625f ? near : far;
}

// erf x, 2 ulp.
DK_INLINE float dk_erff(float x) {
  float t = fabsf(x), s = x * x;
  float u = t > 4.0f ? 4.0f : t, v = u * u;  // erf 4 rounds to 1
  float r = -1.72853470e-5f * u + 3.83197126e-4f;
  float q = -3.88396438e-3f * u + 2.42546219e-2f;
  r = r * v + q;
  r = r * u - 1.06777877e-1f;
  r = r * u - 6.34846687e-1f;
  r = r * u - 1.28717512e-1f;
  r = r * u - u;
  float far = copysignf(1.0f - dk_expf(r), x);
  float p = -5.96761703e-4f;
  p = p * s + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  float near = p * x + x;
  float y = t > 0.927734375f ? far : near;
  return t == t ? y : x;  // NaN
}
