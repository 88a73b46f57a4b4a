#pragma once
#include <stddef.h>
#include <stdint.h>

// Three clones of a kernel, the best one chosen once when the library is loaded: SSE2, AVX2 with FMA, AVX-512.
#define DK_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))

// The number of threads that kernels called from this thread may use. A thread starts with 1. It is also the OpenMP
// (and so oneDNN) setting of the calling thread.
int dk_threads(void);
void dk_set_threads(int count);

// Calls `body(context, begin, end)` on pieces of 0..<count of at least `grain` items, on at most `dk_threads()` threads
// of OpenMP's own pool (the one oneDNN uses, so that there is only one). Pieces begin at multiples of `align`.
typedef void (*dk_body)(void *context, size_t begin, size_t end);
void dk_parallel(size_t count, size_t grain, size_t align, void *context, dk_body body);

// Threads that `dk_parallel` called from this thread uses instead of OpenMP's pool: `team` calls `piece` of 0..<pieces, each
// once, and returns when all are done. Null: the pool.
typedef void (*dk_team)(void *owner, int pieces, void (*piece)(void *context, int index), void *context);
void dk_set_team(dk_team team, void *owner);
