// Attention by blocks of queries. The weights of one block live in cache; backward makes them again from the products
// and one number a query (Dao et al. 2022, arXiv:2205.14135, without the tiling over keys that CPU caches do not need).
#include <stdlib.h>
#include <string.h>

#include "dk_parallel.h"
#include "dk_product.h"
#include "dk_random.h"
#include "dk_rows.h"
#include "dk_softmax.h"

// Queries of one block: their products with all keys should stay in the second-level cache (256 KB), and blocks be
// alike, as products of a few rows are slow.
static int64_t block_of(int64_t queries, int64_t keys) {
  int64_t most = 65536 / (keys ? keys : 1);
  most = most < 16 ? 16 : (most > 512 ? 512 : most);
  int64_t blocks = (queries + most - 1) / most;
  return blocks ? (queries + blocks - 1) / blocks : 1;
}

struct attention {
  const dk_attention *a;
  int halves;  // the caller's setting: threads of the pool have their own
  dk_heads o, g;
  float *out, *log_sums, *dq, *dk, *dv;
  const float *log_sums_in;
  const int64_t *out_strides, *dq_strides, *dk_strides, *dv_strides;
};

static const float *head(const dk_heads *h, int64_t b, int64_t n) { return h->base + b * h->batch + n * h->head; }

// s[i, j] = scale · q_i · k_j + mask for the queries `first..<first + rows`; keys that may not be seen get -infinity.
DK_CLONES static void add_mask(const dk_attention *a, int64_t b, int64_t n, int64_t first, int64_t rows, float *s) {
  for (int64_t i = 0; i < rows; i++) {
    float *row = s + i * a->keys;
    if (a->mask) {
      const int64_t *t = a->mask_strides;
      const float *mask = a->mask + b * t[0] + n * t[1] + (first + i) * t[2];
      if (t[3] == 1)
        for (int64_t j = 0; j < a->keys; j++) row[j] += mask[j];
      else
        for (int64_t j = 0; j < a->keys; j++) row[j] += mask[j * t[3]];
    }
    if (a->causal)
      for (int64_t j = first + i + 1; j < a->keys; j++) row[j] = -INFINITY;
  }
}

static void products(const struct attention *p, int64_t b, int64_t n, int64_t first, int64_t rows, float *s) {
  const dk_attention *a = p->a;
  dk_product_here(p->halves, 0, 1, rows, a->keys, a->width, a->scale,
              head(&a->q, b, n) + first * a->q.row, a->q.row, head(&a->k, b, n), a->k.row, 0, s,
              a->keys);
  if (a->mask || a->causal) add_mask(a, b, n, first, rows, s);
}

DK_CLONES static void weights_of_rows(float *s, float *log_sums, int64_t rows, int64_t keys) {
  for (int64_t i = 0; i < rows; i++) {
    float *row = s + i * keys, shift = row_maximum(row, (size_t)keys);
    if (shift == -INFINITY) {  // nothing may be seen: weights 0, here and (by the infinite sum) in backward
      memset(row, 0, (size_t)keys * sizeof(float));
      log_sums[i] = INFINITY;
      continue;
    }
    for (int64_t j = 0; j < keys; j++) row[j] = dk_expf(row[j] - shift);
    float total = row_sum(row, (size_t)keys), scale = 1.0f / total;
    for (int64_t j = 0; j < keys; j++) row[j] *= scale;
    log_sums[i] = shift + logf(total);
  }
}

// The weights of queries `first..<first + rows` of one head, or their gradients, under dropout.
static void drop(const dk_attention *a, int64_t item, int64_t first, int64_t rows, float *s) {
  if (!a->threshold) return;
  uint64_t blocks = ((uint64_t)a->keys + 3) / 4;
  for (int64_t i = 0; i < rows; i++) {
    uint64_t query = (uint64_t)(item * a->queries + first + i);
    float *row = s + i * a->keys;
    dk_dropout(row, row, (size_t)a->keys, a->threshold, a->kept, a->chance_key, a->chance_lane,
               a->chance_position + query * blocks);
  }
}

static void forward_heads(void *context, size_t begin, size_t end) {
  struct attention *p = context;
  const dk_attention *a = p->a;
  int64_t query_block = block_of(a->queries, a->keys);
  float *s = malloc((size_t)(query_block * a->keys) * sizeof(float));
  for (size_t item = begin; item < end; item++) {
    int64_t b = (int64_t)item / a->heads, n = (int64_t)item % a->heads;
    for (int64_t first = 0; first < a->queries; first += query_block) {
      int64_t rows = a->queries - first < query_block ? a->queries - first : query_block;
      products(p, b, n, first, rows, s);
      weights_of_rows(s, p->log_sums + (int64_t)item * a->queries + first, rows, a->keys);
      drop(a, (int64_t)item, first, rows, s);
      dk_product_here(p->halves, 0, 0, rows, a->value_width, a->keys,
                  1, s, a->keys, head(&a->v, b, n), a->v.row, 0,
                  p->out + b * p->out_strides[0] + n * p->out_strides[1] + first * p->out_strides[2],
                  p->out_strides[2]);
    }
  }
  free(s);
}

void dk_attention_forward(const dk_attention *a, float *o, const int64_t o_strides[3], float *log_sums) {
  struct attention p = {.a = a, .halves = dk_bfloat16(), .out = o, .out_strides = o_strides, .log_sums = log_sums};
  dk_parallel((size_t)(a->batch * a->heads), 1, 1, &p, forward_heads);
}

// Turns products into weights, and the weights' gradients `t` into the products' gradients.
DK_CLONES static void weight_gradients(float *s, float *t, const float *log_sums, const float *inner, float scale,
                                       int64_t rows, int64_t keys) {
  for (int64_t i = 0; i < rows; i++) {
    float *w = s + i * keys, *d = t + i * keys, shift = log_sums[i], dot = inner[i];
    for (int64_t j = 0; j < keys; j++) {
      w[j] = dk_expf(w[j] - shift);
      d[j] = w[j] * (d[j] - dot) * scale;
    }
  }
}

DK_CLONES static void inner_products(const float *g, int64_t g_row, const float *o, int64_t o_row, float *inner,
                                     int64_t rows, int64_t width) {
  for (int64_t i = 0; i < rows; i++) inner[i] = row_dot(g + i * g_row, o + i * o_row, (size_t)width);
}

static void backward_heads(void *context, size_t begin, size_t end) {
  struct attention *p = context;
  const dk_attention *a = p->a;
  int64_t query_block = block_of(a->queries, a->keys), products_count = query_block * a->keys;
  float *s = malloc((size_t)(2 * products_count + query_block) * sizeof(float));
  float *t = s + products_count, *inner = t + products_count;
  for (size_t item = begin; item < end; item++) {
    int64_t b = (int64_t)item / a->heads, n = (int64_t)item % a->heads;
    for (int64_t first = 0; first < a->queries; first += query_block) {
      int64_t rows = a->queries - first < query_block ? a->queries - first : query_block;
      int64_t m = rows, keys = a->keys;
      const float *g = head(&p->g, b, n) + first * p->g.row;
      float later = first == 0 ? 0.0f : 1.0f;
      products(p, b, n, first, rows, s);
      dk_product_here(p->halves, 0, 1, m, keys, a->value_width, 1, g, p->g.row,
                  head(&a->v, b, n), a->v.row, 0, t, keys);
      drop(a, (int64_t)item, first, rows, t);
      inner_products(g, p->g.row, head(&p->o, b, n) + first * p->o.row, p->o.row, inner, rows, a->value_width);
      weight_gradients(s, t, p->log_sums_in + (int64_t)item * a->queries + first, inner, a->scale, rows, a->keys);
      drop(a, (int64_t)item, first, rows, s);
      if (p->dv)
        dk_product_here(p->halves, 1, 0, keys, a->value_width, m, 1, s, keys, g,
                    p->g.row, later, p->dv + b * p->dv_strides[0] + n * p->dv_strides[1],
                    p->dv_strides[2]);
      if (p->dq)
        dk_product_here(p->halves, 0, 0, m, a->width, keys, 1, t, keys,
                    head(&a->k, b, n), a->k.row, 0,
                    p->dq + b * p->dq_strides[0] + n * p->dq_strides[1] + first * p->dq_strides[2],
                    p->dq_strides[2]);
      if (p->dk)
        dk_product_here(p->halves, 1, 0, keys, a->width, m, 1, t, keys,
                    head(&a->q, b, n) + first * a->q.row, a->q.row, later,
                    p->dk + b * p->dk_strides[0] + n * p->dk_strides[1], p->dk_strides[2]);
    }
  }
  free(s);
}

void dk_attention_backward(const dk_attention *a, dk_heads o, const float *log_sums, dk_heads g, float *dq,
                           const int64_t dq_strides[3], float *dk, const int64_t dk_strides[3], float *dv,
                           const int64_t dv_strides[3]) {
  struct attention p = {.a = a, .halves = dk_bfloat16(), .o = o, .g = g, .log_sums_in = log_sums, .dq = dq, .dk = dk, .dv = dv,
                        .dq_strides = dq_strides, .dk_strides = dk_strides, .dv_strides = dv_strides};
  dk_parallel((size_t)(a->batch * a->heads), 1, 1, &p, backward_heads);
}
