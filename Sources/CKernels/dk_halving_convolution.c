// Convolutions along one axis with three taps and a stride of two, as a speech encoder has them, in five products for
// each two outputs instead of six. Even numbers meet two taps, w0 and w2, which minimal filtering F(2, 2) gives from three:
//   y[2i] = (x[4i] - x[4i+2]) w0 + x[4i+1] w1 + s,  y[2i+1] = x[4i+3] w1 + (x[4i+4] - x[4i+2]) w2 + s,
//   s = x[4i+2] (w0 + w2)
// and the input's gradient is its transpose. (The weights' gradient is no faster so.) Winograd
// 1980, Arithmetic Complexity of Computations.
#include "dk_convolution_parts.h"
#include "dk_product.h"
#include "dnnl_engine.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum { least_outputs = 64, least_channels = 128, longest_block = 1024 };

// Row `at`, plus `factor` times row `other` (0: alone); rows outside are zeros.
typedef struct {
  int64_t at, other;
  float factor;
} combination;

// Position i's rows are `step` · i further on; terms run over the channels of one combination after the other.
typedef struct {
  const float *base;
  int64_t rows, length, step;
  combination parts[2];
} phases;

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)
static const float *row_of(const phases *p, int64_t row) {
  return row >= 0 && row < p->rows ? p->base + row * p->length : 0;
}

// `count` numbers of a combination from channel `from`; those of two rows are made at `to`, which has room for whole
// vectors.
static inline __attribute__((always_inline)) const float *combined(
  const phases *p, const combination *part, int64_t position, int64_t from, int64_t count, float *to) {
  const float *a = row_of(p, position * p->step + part->at);
  if (part->factor == 0) return a ? a + from : 0;
  const float *b = row_of(p, position * p->step + part->other);
  if (!b) return a ? a + from : 0;
  const __m512 factor = _mm512_set1_ps(part->factor);
  for (int64_t i = 0; i < count; i += 16) {
    const __mmask16 mask = count - i >= 16 ? 0xffff : (__mmask16)((1u << (count - i)) - 1);
    const __m512 other = _mm512_mul_ps(factor, _mm512_maskz_loadu_ps(mask, b + from + i));
    _mm512_storeu_ps(to + i, a ? _mm512_add_ps(_mm512_maskz_loadu_ps(mask, a + from + i), other) : other);
  }
  return to;
}


// Lines are positions.
static void pack_positions(
  const dk_source *s, int64_t first, int count, int pitch, int64_t from, int64_t terms, int bfloat16, float *to) {
  const phases *p = s->context;
  float made[dk_tile_width][longest_block];
  const float *starts[dk_tile_width];
  while (terms > 0) {
    const int64_t part = from / p->length, channel = from % p->length;
    int64_t some = p->length - channel < terms ? p->length - channel : terms;
    some = some < longest_block ? some : longest_block;
    for (int i = 0; i < count; ++i) starts[i] = combined(p, &p->parts[part], first + i, channel, some, made[i]);
    dk_pack_lines(starts, count, pitch, some, bfloat16, to);
    to += (bfloat16 ? some / 2 : some) * pitch;
    from += some;
    terms -= some;
  }
}

#pragma clang attribute pop

static dk_source positions_of(const phases *p) {
  return (dk_source){.pack = pack_positions, .context = p, .bytes_of_work = 2};
}

int dk_halving_fits(const dk_conv *c) {
  if (!dk_has_products() || c->groups != 1 || c->in[0] * c->in[1] != 1 || c->kernel[0] * c->kernel[1] != 1) return 0;
  if (c->kernel[2] != 3 || c->stride[2] != 2 || c->dilation[2] != 1) return 0;
  for (int a = 0; a < 3; ++a)
    if (c->pad_low[a] || c->pad_high[a]) return 0;
  return c->out[2] >= least_outputs && c->in_channels % 32 == 0 && c->out_channels % 32 == 0
    && c->in_channels >= least_channels && c->out_channels >= least_channels;
}

// w0 + w2 of every channel out, at `to`.
static void sum_ends(const dk_conv *c, const float *w, float *to) {
  const int64_t C = c->in_channels;
  for (int64_t o = 0; o < c->out_channels; ++o)
    for (int64_t i = 0; i < C; ++i) to[o * C + i] = w[o * 3 * C + i] + w[(o * 3 + 2) * C + i];
}

// Gives the products their factors, packed once for all samples, and returns how many floats they take.
static int64_t pack_factors(dk_product *products, int count, float *to) {
  int64_t all = 0;
  for (int i = 0; i < count; ++i) {
    if (to) {
      dk_product_pack(&products[i], 0, dk_product_packed_units(&products[i]), to + all);
      products[i].packed = to + all;
    }
    all += (dk_product_packed_size(&products[i]) + 15) / 16 * 16;
  }
  return all;
}

int dk_halving_forward(const dk_conv *c, const float *x, const float *w, const float *bias, float *y) {
  const int64_t C = c->in_channels, O = c->out_channels, W = c->in[2], T = c->out[2], pairs = (T + 1) / 2;
  const float *taps = dk_weights_by_tap(c, w);
  float *ends = dk_scratch_of(dk_scratch_lines, (size_t)(O * C + pairs * O) * sizeof(float));
  if (!ends) return 1;
  float *middle = ends + O * C;
  sum_ends(c, taps, ends);
  const dk_after after = {.bias = bias, .residual = middle, .stride = O};
  phases even = {0, W, C, 4, {{0, 2, -1}, {1, 0, 0}}}, odd = {0, W, C, 4, {{3, 0, 0}, {4, 2, -1}}};
  const int bfloat16 = dk_bfloat16();
  dk_product products[3] = {
    {.m = pairs, .n = O, .k = C, .alpha = 1, .c = middle, .stride = O, .bfloat16 = bfloat16,
     .b = dk_strided_source(ends, C, 1)},
    {.m = pairs, .n = O, .k = 2 * C, .alpha = 1, .stride = 2 * O, .bfloat16 = bfloat16, .after = &after,
     .a = positions_of(&even), .b = dk_strided_source(taps, 3 * C, 1)},
    {.m = T / 2, .n = O, .k = 2 * C, .alpha = 1, .stride = 2 * O, .bfloat16 = bfloat16, .after = &after,
     .a = positions_of(&odd), .b = dk_strided_source(taps + C, 3 * C, 1)}};
  float *packed = dk_scratch_of(dk_scratch_shared, (size_t)pack_factors(products, 3, 0) * sizeof(float));
  if (!packed) return 1;
  pack_factors(products, 3, packed);
  for (int64_t n = 0; n < c->batch; ++n) {
    even.base = odd.base = x + n * W * C;
    products[0].a = dk_strided_source(x + (n * W + 2) * C, 4 * C, 1);
    (products[1].c = y + n * T * O, products[2].c = y + (n * T + 1) * O);
    for (int i = 0; i < 3; ++i) dk_product_run(&products[i]);
  }
  return 0;
}

int dk_halving_backward_input(const dk_conv *c, const float *w, const float *dy, float *dx) {
  const int64_t C = c->in_channels, O = c->out_channels, W = c->in[2], T = c->out[2], pairs = (T + 1) / 2;
  const float *taps = dk_weights_by_tap(c, w);
  float *ends = dk_scratch_of(dk_scratch_lines, (size_t)(O * C + (pairs + 1) * C) * sizeof(float));
  if (!ends) return 1;
  float *middle = ends + O * C;
  sum_ends(c, taps, ends);
  memset(middle + pairs * C, 0, (size_t)C * sizeof(float));  // beyond the last output
  const dk_after after = {.residual = middle, .stride = C};
  // dx[4i] = w2 (dy[2i-1] - dy[2i]) + s, dx[4i+2] = w0 (dy[2i+1] - dy[2i]) + s, s = (w0 + w2) dy[2i]; dx[2j+1] = w1 dy[j]
  phases even = {0, T, O, 2, {{-1, 0, -1}}}, odd = {0, T, O, 2, {{1, 0, -1}}};
  const int bfloat16 = dk_bfloat16();
  dk_product products[4] = {
    {.m = pairs, .n = C, .k = O, .alpha = 1, .c = middle, .stride = C, .bfloat16 = bfloat16,
     .b = dk_strided_source(ends, 1, C)},
    {.m = T / 2 + 1, .n = C, .k = O, .alpha = 1, .stride = 4 * C, .bfloat16 = bfloat16, .after = &after,
     .a = positions_of(&even), .b = dk_strided_source(taps + 2 * C, 1, 3 * C)},
    {.m = pairs, .n = C, .k = O, .alpha = 1, .stride = 4 * C, .bfloat16 = bfloat16, .after = &after,
     .a = positions_of(&odd), .b = dk_strided_source(taps, 1, 3 * C)},
    {.m = T, .n = C, .k = O, .alpha = 1, .stride = 2 * C, .bfloat16 = bfloat16,
     .b = dk_strided_source(taps + C, 1, 3 * C)}};
  float *packed = dk_scratch_of(dk_scratch_shared, (size_t)pack_factors(products, 4, 0) * sizeof(float));
  if (!packed) return 1;
  pack_factors(products, 4, packed);
  for (int64_t n = 0; n < c->batch; ++n) {
    const float *slopes = dy + n * T * O;
    float *to = dx + n * W * C;
    even.base = odd.base = slopes;
    products[0].a = dk_strided_source(slopes, 2 * O, 1);
    products[3].a = dk_strided_source(slopes, O, 1);
    (products[1].c = to, products[2].c = to + 2 * C, products[3].c = to + C);
    for (int i = 0; i < 4; ++i) dk_product_run(&products[i]);
    if (W > 2 * T + 1) memset(to + (2 * T + 1) * C, 0, (size_t)((W - 2 * T - 1) * C) * sizeof(float));
  }
  return 0;
}
#else
int dk_halving_fits(const dk_conv *c) { return (void)c, 0; }
int dk_halving_forward(const dk_conv *c, const float *x, const float *w, const float *bias, float *y) {
  return (void)c, (void)x, (void)w, (void)bias, (void)y, 1;
}
int dk_halving_backward_input(const dk_conv *c, const float *w, const float *dy, float *dx) {
  return (void)c, (void)w, (void)dy, (void)dx, 1;
}
#endif
