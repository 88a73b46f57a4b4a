#include "dk_optimizer.h"

#include "dk_parallel.h"

struct step {
  dk_sgd sgd;
  dk_adam adam;
  const float *from;
  float *w;
  const float *g;
  float *a, *b, *c;
};

DK_CLONES static void sgd_range(dk_sgd s, float *w, const float *g, float *v, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float d = g[i] + s.weight_decay * w[i];
    if (v) {
      float velocity = s.first_step ? d : s.momentum * v[i] + s.gradient_share * d;
      v[i] = velocity;
      d = s.nesterov ? d + s.momentum * velocity : velocity;
    }
    w[i] -= s.rate * d;
  }
}

// sqrtf may set errno, which keeps loops from vectorising; this one may not.
#define square_root(x) __builtin_elementwise_sqrt(x)

// `from` may be `w`, at the same place only: each number is read before it is written.
#define DEFINE_ADAM(name, parameters, largest_second)                                                             \
  DK_CLONES static void name parameters {                                                                         \
    float shrink = s.decoupled ? 1.0f - s.rate * s.weight_decay : 1.0f;                                           \
    float coupled = s.decoupled ? 0.0f : s.weight_decay;                                                          \
    float rate = s.rate / s.correction1;                                                                          \
    _Pragma("clang loop vectorize(assume_safety)")                                                                \
    for (size_t i = 0; i < count; i++) {                                                                          \
      float x = from[i] * shrink, d = g[i] * s.gradient_scale + coupled * x;                                                            \
      float first = m[i] + s.gradient_share1 * (d - m[i]);                                                        \
      float second = s.beta2 * v[i] + s.gradient_share2 * d * d;                                                  \
      m[i] = first;                                                                                               \
      v[i] = second;                                                                                              \
      w[i] = x - rate * first / (square_root(largest_second) / s.correction2_root + s.epsilon);                   \
    }                                                                                                             \
  }

DEFINE_ADAM(adam_range, (dk_adam s, const float *from, float *w, const float *restrict g, float *restrict m, float *restrict v,
                         size_t count), second)
DEFINE_ADAM(amsgrad_range, (dk_adam s, const float *from, float *w, const float *restrict g, float *restrict m,
                            float *restrict v, float *restrict largest, size_t count),
            (largest[i] = largest[i] > second ? largest[i] : second))

static void sgd_piece(void *context, size_t begin, size_t end) {
  struct step *p = context;
  sgd_range(p->sgd, p->w + begin, p->g + begin, p->a ? p->a + begin : 0, end - begin);
}

static void adam_piece(void *context, size_t begin, size_t end) {
  struct step *p = context;
  if (p->c)
    amsgrad_range(p->adam, p->from + begin, p->w + begin, p->g + begin, p->a + begin, p->b + begin, p->c + begin, end - begin);
  else
    adam_range(p->adam, p->from + begin, p->w + begin, p->g + begin, p->a + begin, p->b + begin, end - begin);
}

void dk_sgd_step(dk_sgd s, float *w, const float *g, float *velocity, size_t count) {
  struct step p = {.sgd = s, .w = w, .g = g, .a = velocity};
  dk_parallel(count, 16384, 16, &p, sgd_piece);
}

void dk_adam_step(dk_adam s, const float *from, float *w, const float *g, float *first, float *second, float *largest, size_t count) {
  struct step p = {.adam = s, .from = from, .w = w, .g = g, .a = first, .b = second, .c = largest};
  dk_parallel(count, 16384, 16, &p, adam_piece);
}
