#include "dk_copy.h"

#include <string.h>

#include "dk_parallel.h"

// The view after dropping axes of one element and merging axes that are adjacent in both memories.
struct view {
  int rank;
  int64_t shape[8], from[8], to[8];
};

static struct view coalesced(int rank, const int64_t *shape, const int64_t *from, const int64_t *to) {
  struct view v = {0};
  for (int i = 0; i < rank; i++) {
    if (shape[i] == 1) continue;
    int last = v.rank - 1;
    if (last >= 0 && v.from[last] == from[i] * shape[i] && v.to[last] == to[i] * shape[i]) {
      v.shape[last] *= shape[i];
      v.from[last] = from[i];
      v.to[last] = to[i];
    } else {
      v.shape[v.rank] = shape[i];
      v.from[v.rank] = from[i];
      v.to[v.rank] = to[i];
      v.rank++;
    }
  }
  if (v.rank == 0) {
    v.rank = 1;
    v.shape[0] = 1;
    v.from[0] = v.to[0] = 1;
  }
  return v;
}

// The two innermost axes: straight copies where both are dense, else square tiles so that both sides stay in cache.
#define DEFINE_PLANE(T, name)                                                                                     \
  static void name(int64_t rows, int64_t columns, const T *from, int64_t fr, int64_t fc, T *to, int64_t tr,       \
                   int64_t tc) {                                                                                  \
    if (fc == 1 && tc == 1) {                                                                                     \
      for (int64_t r = 0; r < rows; r++) memcpy(to + r * tr, from + r * fr, (size_t)columns * sizeof(T));         \
      return;                                                                                                     \
    }                                                                                                             \
    enum { tile = 16 };                                                                                           \
    for (int64_t r0 = 0; r0 < rows; r0 += tile) {                                                                 \
      int64_t r1 = r0 + tile < rows ? r0 + tile : rows;                                                           \
      for (int64_t c0 = 0; c0 < columns; c0 += tile) {                                                            \
        int64_t c1 = c0 + tile < columns ? c0 + tile : columns;                                                   \
        if (tc == 1)                                                                                              \
          for (int64_t r = r0; r < r1; r++)                                                                       \
            for (int64_t c = c0; c < c1; c++) to[r * tr + c] = from[r * fr + c * fc];                             \
        else                                                                                                      \
          for (int64_t c = c0; c < c1; c++)                                                                       \
            for (int64_t r = r0; r < r1; r++) to[r * tr + c * tc] = from[r * fr + c * fc];                        \
      }                                                                                                           \
    }                                                                                                             \
  }

DEFINE_PLANE(uint8_t, plane1)
DEFINE_PLANE(uint16_t, plane2)
DEFINE_PLANE(uint32_t, plane4)
DEFINE_PLANE(uint64_t, plane8)

typedef uint32_t word16 __attribute__((ext_vector_type(16), aligned(4)));

// Transposes 16×16 words: four rounds of shuffling row i with row i + 8, as one shuffles two halves of a pack of cards.
static inline __attribute__((always_inline)) void transpose16(const uint32_t *from, int64_t fc, uint32_t *to,
                                                              int64_t tr) {
  word16 a[16], b[16];
  for (int i = 0; i < 16; i++) a[i] = *(const word16 *)(from + i * fc);
#define SHUFFLE(x, y)                                                                                        \
  for (int i = 0; i < 8; i++) {                                                                              \
    y[2 * i] = __builtin_shufflevector(x[i], x[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23); \
    y[2 * i + 1] =                                                                                           \
        __builtin_shufflevector(x[i], x[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31); \
  }
  SHUFFLE(a, b) SHUFFLE(b, a) SHUFFLE(a, b) SHUFFLE(b, a)
#undef SHUFFLE
  for (int i = 0; i < 16; i++) *(word16 *)(to + i * tr) = a[i];
}

// The commonest change of order, channels to the end or back: rows adjacent in the source, columns in the target.
DK_CLONES static void transpose4(int64_t rows, int64_t columns, const uint32_t *from, int64_t fc, uint32_t *to,
                                 int64_t tr) {
  int64_t whole_rows = rows / 16 * 16, whole_columns = columns / 16 * 16;
  for (int64_t r = 0; r < whole_rows; r += 16)
    for (int64_t c = 0; c < whole_columns; c += 16) transpose16(from + r + c * fc, fc, to + r * tr + c, tr);
  plane4(rows, columns - whole_columns, from + whole_columns * fc, 1, fc, to + whole_columns, tr, 1);
  plane4(rows - whole_rows, whole_columns, from + whole_rows, 1, fc, to + whole_rows * tr, tr, 1);
}

struct copy {
  struct view view;
  const char *from;
  char *to;
  size_t size;
};

static void copy_planes(void *context, size_t begin, size_t end) {
  struct copy *copy = context;
  const struct view *v = &copy->view;
  int outer = v->rank - 2;
  for (size_t plane = begin; plane < end; plane++) {
    int64_t from = 0, to = 0, rest = (int64_t)plane;
    for (int axis = outer - 1; axis >= 0; axis--) {
      int64_t index = rest % v->shape[axis];
      rest /= v->shape[axis];
      from += index * v->from[axis];
      to += index * v->to[axis];
    }
    const char *source = copy->from + from * (int64_t)copy->size;
    char *target = copy->to + to * (int64_t)copy->size;
    int64_t rows = v->shape[outer], columns = v->shape[outer + 1];
    int64_t fr = v->from[outer], fc = v->from[outer + 1], tr = v->to[outer], tc = v->to[outer + 1];
    switch (copy->size) {
      case 1: plane1(rows, columns, (const uint8_t *)source, fr, fc, (uint8_t *)target, tr, tc); break;
      case 2: plane2(rows, columns, (const uint16_t *)source, fr, fc, (uint16_t *)target, tr, tc); break;
      case 4:
        if (fr == 1 && tc == 1 && rows >= 16 && columns >= 16) {
          transpose4(rows, columns, (const uint32_t *)source, fc, (uint32_t *)target, tr);
          break;
        }
        plane4(rows, columns, (const uint32_t *)source, fr, fc, (uint32_t *)target, tr, tc);
        break;
      default: plane8(rows, columns, (const uint64_t *)source, fr, fc, (uint64_t *)target, tr, tc); break;
    }
  }
}

void dk_copy_strided(int rank, const int64_t *shape, const void *source, const int64_t *source_strides, void *target,
                     const int64_t *target_strides, size_t size) {
  for (int i = 0; i < rank; i++)
    if (shape[i] == 0) return;
  struct copy copy = {coalesced(rank, shape, source_strides, target_strides), source, target, size};
  struct view *v = &copy.view;
  if (v->rank == 1) {  // one row
    v->shape[1] = v->shape[0], v->from[1] = v->from[0], v->to[1] = v->to[0];
    v->shape[0] = 1, v->from[0] = v->to[0] = 0;
    v->rank = 2;
  }
  // Bring the axis that is dense in the target innermost and the one dense in the source beside it.
  int inner = 0;
  for (int i = 1; i < v->rank; i++)
    if (v->to[i] <= v->to[inner]) inner = i;
  int64_t s = v->shape[inner], f = v->from[inner], t = v->to[inner];
  for (int i = inner; i < v->rank - 1; i++) v->shape[i] = v->shape[i + 1], v->from[i] = v->from[i + 1], v->to[i] = v->to[i + 1];
  v->shape[v->rank - 1] = s, v->from[v->rank - 1] = f, v->to[v->rank - 1] = t;
  if (f != 1 && v->rank > 2) {
    int dense = -1;
    for (int i = 0; i < v->rank - 1; i++)
      if (v->from[i] == 1) dense = i;
    if (dense >= 0) {
      int64_t ds = v->shape[dense], df = v->from[dense], dt = v->to[dense];
      for (int i = dense; i < v->rank - 2; i++)
        v->shape[i] = v->shape[i + 1], v->from[i] = v->from[i + 1], v->to[i] = v->to[i + 1];
      v->shape[v->rank - 2] = ds, v->from[v->rank - 2] = df, v->to[v->rank - 2] = dt;
    }
  }
  size_t planes = 1;
  for (int i = 0; i < v->rank - 2; i++) planes *= (size_t)v->shape[i];
  size_t each = (size_t)(v->shape[v->rank - 2] * v->shape[v->rank - 1]);
  dk_parallel(planes, 1 + 65536 / (each ? each : 1), 1, &copy, copy_planes);
}

DK_CLONES void dk_bfloat16_to_float(const uint16_t *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = (uint32_t)x[i] << 16;
    memcpy(&y[i], &bits, 4);
  }
}

DK_CLONES void dk_float_to_bfloat16(const float *x, uint16_t *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &x[i], 4);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    y[i] = (bits & 0x7fffffff) > 0x7f800000 ? (uint16_t)(bits >> 16 | 0x40) : (uint16_t)rounded;
  }
}

// Half precision by integer arithmetic, so that no clone needs F16C and all give the same bits.
DK_CLONES void dk_float16_to_float(const uint16_t *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t h = x[i], sign = (h & 0x8000) << 16, magnitude = h & 0x7fff;
    uint32_t normal = (magnitude << 13) + 0x38000000;
    if (magnitude >= 0x7c00) normal += 0x38000000;  // infinity and NaN
    float small = (float)magnitude * 0x1p-24f;      // subnormal: exact
    uint32_t bits;
    memcpy(&bits, &small, 4);
    bits = (magnitude < 0x400 ? bits : normal) | sign;
    memcpy(&y[i], &bits, 4);
  }
}

DK_CLONES void dk_float_to_float16(const float *x, uint16_t *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &x[i], 4);
    uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
    uint32_t normal = (magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    // Adding 0.5 leaves the subnormal's value in the low bits, rounded to nearest even by the addition itself.
    float value, half = 0.5f;
    memcpy(&value, &magnitude, 4);
    value += half;
    uint32_t subnormal;
    memcpy(&subnormal, &value, 4);
    subnormal -= 0x3f000000;
    uint32_t result = magnitude < 0x38800000 ? subnormal : normal;
    if (magnitude >= 0x477ff000) result = 0x7c00;
    if (magnitude > 0x7f800000) result = 0x7e00;
    y[i] = (uint16_t)(result | sign);
  }
}

struct floats {
  const float *x;
  float *y;
};

static void copy_piece(void *context, size_t begin, size_t end) {
  const struct floats *f = context;
  memcpy(f->y + begin, f->x + begin, (end - begin) * sizeof(float));
}

void dk_copy_floats(const float *x, float *y, size_t count) {
  struct floats f = {x, y};
  dk_parallel(count, 65536, 16, &f, copy_piece);
}
