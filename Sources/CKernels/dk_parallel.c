#include "dk_parallel.h"

// libgomp's entry points, declared here because the compiler that builds us has another OpenMP run time than oneDNN
// (`#pragma omp` would start a second pool). The ABI is the one gcc's code calls.
extern void GOMP_parallel(void (*body)(void *), void *context, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_in_parallel(void);
extern void omp_set_num_threads(int);

static _Thread_local int thread_count = 1;
static _Thread_local int thread_count_was_set = 0;

int dk_threads(void) {
  // libgomp's default is every core; a thread that said nothing gets 1 there too.
  if (!thread_count_was_set) dk_set_threads(1);
  return thread_count;
}

void dk_set_threads(int count) {
  thread_count = count < 1 ? 1 : count;
  thread_count_was_set = 1;
  omp_set_num_threads(thread_count);
}

static _Thread_local dk_team team = 0;
static _Thread_local void *team_owner = 0;

void dk_set_team(dk_team run, void *owner) {
  team = run;
  team_owner = owner;
}

struct region {
  size_t count, align, pieces;
  void *context;
  dk_body body;
};

static void run_piece(const struct region *region, size_t piece, size_t pieces) {
  size_t units = (region->count + region->align - 1) / region->align;
  size_t begin = units * piece / pieces * region->align, end = units * (piece + 1) / pieces * region->align;
  if (end > region->count) end = region->count;
  if (begin < end) region->body(region->context, begin, end);
}

static void run_in_pool(void *region) {
  run_piece(region, (size_t)omp_get_thread_num(), (size_t)omp_get_num_threads());
}

static void run_in_team(void *context, int piece) {
  const struct region *region = context;
  run_piece(region, (size_t)piece, region->pieces);
}

void dk_parallel(size_t count, size_t grain, size_t align, void *context, dk_body body) {
  if (count == 0) return;
  size_t threads = (size_t)dk_threads(), useful = grain ? count / grain : count;
  if (threads > useful) threads = useful;
  if (threads <= 1 || omp_in_parallel()) {
    body(context, 0, count);
    return;
  }
  struct region region = {count, align ? align : 1, threads, context, body};
  if (team)
    team(team_owner, (int)threads, run_in_team, &region);
  else
    GOMP_parallel(run_in_pool, &region, (unsigned)threads, 0);
}
