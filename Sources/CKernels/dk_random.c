#include "dk_random.h"

#include <string.h>

#include "dk_parallel.h"

struct dropout {
  const float *x;
  float *y;
  size_t count;
  uint32_t threshold;
  float scale;
  uint64_t key, lane, position;
};

// Sixteen blocks side by side: a vector holds the same word of all of them.
enum { side = 16 };
typedef uint32_t words __attribute__((ext_vector_type(16)));
typedef uint64_t products __attribute__((ext_vector_type(16)));

DK_CLONES static void dropout_blocks(const struct dropout *p, size_t begin, size_t end) {
  const words counting = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  for (size_t first = begin; first < end; first += side) {
    uint64_t index = p->position + first;
    words c0 = (uint32_t)index + counting, c1 = (uint32_t)(index >> 32) - (words)(c0 < (uint32_t)index);
    words c2 = (uint32_t)p->lane, c3 = (uint32_t)(p->lane >> 32);
    uint32_t k0 = (uint32_t)p->key, k1 = (uint32_t)(p->key >> 32);
    for (int round = 0; round < 10; round++) {
      products a = __builtin_convertvector(c0, products) * 0xd2511f53u;
      products b = __builtin_convertvector(c2, products) * 0xcd9e8d57u;
      c0 = __builtin_convertvector(b >> 32, words) ^ c1 ^ k0;
      c2 = __builtin_convertvector(a >> 32, words) ^ c3 ^ k1;
      c1 = __builtin_convertvector(b, words);
      c3 = __builtin_convertvector(a, words);
      k0 += 0x9e3779b9u;
      k1 += 0xbb67ae85u;
    }
    // Words in the order of the stream: all four of block 0, then of block 1, …
    uint32_t order[4 * side], w[4][side];
    memcpy(w[0], &c0, sizeof(c0));
    memcpy(w[1], &c1, sizeof(c1));
    memcpy(w[2], &c2, sizeof(c2));
    memcpy(w[3], &c3, sizeof(c3));
    for (int l = 0; l < side; l++)
      for (int i = 0; i < 4; i++) order[4 * l + i] = w[i][l];
    size_t from = first * 4, n = p->count - from < 4 * side ? p->count - from : 4 * side;
    if (n > (end - first) * 4) n = (end - first) * 4;
    const float *x = p->x + from;
    float *y = p->y + from;
    for (size_t i = 0; i < n; i++) y[i] = order[i] >= p->threshold ? x[i] * p->scale : 0.0f;
  }
}

static void dropout_piece(void *context, size_t begin, size_t end) { dropout_blocks(context, begin, end); }

void dk_dropout(const float *x, float *y, size_t count, uint32_t threshold, float scale, uint64_t key, uint64_t lane,
                uint64_t position) {
  struct dropout p = {x, y, count, threshold, scale, key, lane, position};
  dk_parallel((count + 3) / 4, 4096, side, &p, dropout_piece);
}
