#include "dnnl_engine.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static dnnl_engine_t engine;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

struct dk_thread_state {
  dnnl_stream_t stream;
  void *scratch[dk_scratch_uses];
  size_t scratch_bytes[dk_scratch_uses];
  struct dk_cache *cache;
  void (*release)(struct dk_cache *);
};

// A thread's end frees its streams, scratch and primitives: compute threads come and go with jobs.
static void end_thread(void *data) {
  dk_thread_state *state = data;
  if (state->cache && state->release) state->release(state->cache);
  if (state->stream) dnnl_stream_destroy(state->stream);
  for (int use = 0; use < dk_scratch_uses; ++use) free(state->scratch[use]);
  free(state);
}

static void start(void) {
  pthread_key_create(&key, end_thread);
  if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) abort();
}

static dk_thread_state *thread_state(void) {
  static __thread dk_thread_state *state;  // a copy of the key's value: this is asked several times a call
  if (state) return state;
  pthread_once(&once, start);
  state = calloc(1, sizeof *state);
  if (!state || dnnl_stream_create(&state->stream, engine, dnnl_stream_default_flags) != dnnl_success) abort();
  pthread_setspecific(key, state);
  return state;
}

dnnl_engine_t dk_engine(void) {
  pthread_once(&once, start);
  return engine;
}

dnnl_stream_t dk_stream(void) { return thread_state()->stream; }

dnnl_status_t dk_desc_make(dk_owned_desc *desc, int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_memory_desc_create_with_tag(desc, rank, dims, dnnl_f32, tag);
#else
  return dnnl_memory_desc_init_by_tag(desc, rank, dims, dnnl_f32, tag);
#endif
}

void dk_desc_free(dk_owned_desc *desc) {
#if DNNL_VERSION_MAJOR >= 3
  if (*desc) dnnl_memory_desc_destroy(*desc);
#else
  (void)desc;
#endif
}

void *dk_scratch(size_t bytes) { return dk_scratch_of(dk_scratch_general, bytes); }

void *dk_scratch_of(dk_use use, size_t bytes) {
  dk_thread_state *state = thread_state();
  if (bytes <= state->scratch_bytes[use]) return state->scratch[use];
  free(state->scratch[use]);
  state->scratch[use] = NULL;
  state->scratch_bytes[use] = 0;
  if (posix_memalign(&state->scratch[use], 64, bytes) != 0) return NULL;
  state->scratch_bytes[use] = bytes;
  return state->scratch[use];
}

struct dk_cache **dk_thread_cache(void (*release)(struct dk_cache *)) {
  dk_thread_state *state = thread_state();
  state->release = release;
  return &state->cache;
}
