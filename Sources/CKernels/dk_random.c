#include "dk_random.h"

#include "dk_parallel.h"

struct dropout {
  const float *x;
  float *y;
  size_t count;
  uint32_t threshold;
  float scale;
  uint64_t key, lane, position;
};

// Sixteen blocks side by side, so that the rounds vectorise.
enum { side = 16 };

DK_CLONES static void dropout_blocks(const struct dropout *p, size_t begin, size_t end) {
  for (size_t first = begin; first < end; first += side) {
    uint32_t c[4][side], words[4 * side];
    for (int l = 0; l < side; l++) {
      uint64_t index = p->position + first + (uint64_t)l;
      c[0][l] = (uint32_t)index;
      c[1][l] = (uint32_t)(index >> 32);
      c[2][l] = (uint32_t)p->lane;
      c[3][l] = (uint32_t)(p->lane >> 32);
    }
    uint32_t k0 = (uint32_t)p->key, k1 = (uint32_t)(p->key >> 32);
    for (int round = 0; round < 10; round++) {
      for (int l = 0; l < side; l++) {
        uint64_t a = (uint64_t)0xd2511f53u * c[0][l], b = (uint64_t)0xcd9e8d57u * c[2][l];
        uint32_t n0 = (uint32_t)(b >> 32) ^ c[1][l] ^ k0, n2 = (uint32_t)(a >> 32) ^ c[3][l] ^ k1;
        c[1][l] = (uint32_t)b;
        c[3][l] = (uint32_t)a;
        c[0][l] = n0;
        c[2][l] = n2;
      }
      k0 += 0x9e3779b9u;
      k1 += 0xbb67ae85u;
    }
    for (int l = 0; l < side; l++)
      for (int w = 0; w < 4; w++) words[4 * l + w] = c[w][l];
    size_t from = first * 4, n = p->count - from < 4 * side ? p->count - from : 4 * side;
    if (n > (end - first) * 4) n = (end - first) * 4;
    for (size_t i = 0; i < n; i++) p->y[from + i] = words[i] >= p->threshold ? p->x[from + i] * p->scale : 0.0f;
  }
}

static void dropout_piece(void *context, size_t begin, size_t end) { dropout_blocks(context, begin, end); }

void dk_dropout(const float *x, float *y, size_t count, uint32_t threshold, float scale, uint64_t key, uint64_t lane,
                uint64_t position) {
  struct dropout p = {x, y, count, threshold, scale, key, lane, position};
  dk_parallel((count + 3) / 4, 4096, side, &p, dropout_piece);
}
