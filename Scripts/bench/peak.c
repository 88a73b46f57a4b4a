// GFLOP/s of float32 multiply-adds that never leave the registers: the peak that docs/performance.md compares with.
// usage: peak THREADS; prints the best of some short rounds. For processors with AVX-512.
#include <immintrin.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { rounds = 2000000, sums = 12 };

#define EACH(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11)

__attribute__((target("avx512f"))) static float multiply_add(float x) {
  const __m512 a = _mm512_set1_ps(x), b = _mm512_set1_ps(1 - x);
#define START(j) __m512 s##j = _mm512_set1_ps((float)j);
#define STEP(j) s##j = _mm512_fmadd_ps(s##j, a, b);
#define ADD(j) total = _mm512_add_ps(total, s##j);
  EACH(START)
  for (int i = 0; i < rounds; ++i) {
    EACH(STEP)
  }
  __m512 total = _mm512_setzero_ps();
  EACH(ADD)
  return _mm512_reduce_add_ps(total);
}

static void *run(void *result) {
  *(float *)result = multiply_add(0.5f);
  return NULL;
}

int main(int count, char **arguments) {
  const int threads = count > 1 ? atoi(arguments[1]) : 1;
  double best = 0;
  for (int round = 0; round < 20; ++round) {
    pthread_t thread[64];
    float results[64];
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < threads && i < 64; ++i) pthread_create(&thread[i], NULL, run, &results[i]);
    for (int i = 0; i < threads && i < 64; ++i) pthread_join(thread[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double seconds = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    const double rate = 2.0 * 16 * sums * rounds * threads / seconds * 1e-9;
    if (rate > best) best = rate;
  }
  printf("%.1f\n", best);
}
