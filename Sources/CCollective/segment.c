#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "CCollective.h"

// Every member writes into its own segment alone. For each chunk of a vector, in three phases: it puts there what others
// are to add up ("contributed"); adds up its own part of the chunk from everybody's segment and puts the sum there
// ("reduced"); and takes the other parts from theirs ("gathered"). Counters count chunks since the group began and only
// rise; a place is used again when all have counted past it. Nothing is ever locked, so that a process that dies leaves
// nothing behind that could hold up the others but its silence, which is noticed.

// Chunks that may be under way; bytes before them; what all members together may bring to go in one phase instead of three.
enum { PLACES = 4, HEADER = 4096, SMALL = 32 << 10 };
enum { CONTRIBUTED, REDUCED, GATHERED, COUNTERS };

typedef struct {
  _Alignas(64) _Atomic uint32_t value;
} counter;

struct unmask_segment {
  uint64_t magic, nonce;
  counter counters[COUNTERS];
  counter waiting;
};

static const uint64_t magic = 0x314B53414D4E55;  // "UNMASK1"

size_t unmask_segment_size(int nodes, size_t chunk) {
  return HEADER + PLACES * chunk * ((nodes > 1 ? nodes : 1) + 1);
}

int unmask_segment_make(uint64_t nonce, size_t size) {
  int handle = memfd_create("unmask-sums", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (handle < 0) return -1;
  void *memory = MAP_FAILED;
  if (ftruncate(handle, (off_t)size) == 0 && fcntl(handle, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
    memory = mmap(NULL, HEADER, PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
  if (memory == MAP_FAILED) {
    int error = errno;
    close(handle);
    errno = error;
    return -1;
  }
  unmask_segment *segment = memory;
  segment->nonce = nonce;
  atomic_thread_fence(memory_order_seq_cst);
  segment->magic = magic;
  munmap(memory, HEADER);
  return handle;
}

unmask_segment *unmask_segment_open(int process, int handle, uint64_t nonce, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", process, handle);
  int own = open(path, O_RDWR | O_CLOEXEC);
  if (own < 0) return NULL;
  struct stat facts;
  int seals = fcntl(own, F_GET_SEALS);
  // Without the seal its owner could shrink it, and whoever reads beyond the end is killed.
  if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(own, &facts) != 0 || facts.st_size != (off_t)size) {
    close(own);
    errno = EPROTO;
    return NULL;
  }
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
  int error = errno;
  close(own);
  if (memory == MAP_FAILED) {
    errno = error;
    return NULL;
  }
  unmask_segment *segment = memory;
  if (segment->magic != magic || segment->nonce != nonce) {
    munmap(memory, size);
    errno = EPROTO;
    return NULL;
  }
  return segment;
}

void unmask_segment_close(unmask_segment *segment, size_t size) { munmap(segment, size); }

struct unmask_sharing {
  int rank, members, spins;
  size_t chunk;
  uint32_t chunks;  // done since the beginning
  unmask_segment **segments;
  size_t *sizes;
  int *nodes;
  struct pollfd *processes;
  const void **leaves;
  size_t leaf_room;
  double cost[2];        // seconds a byte through the caches and past them
  double spent[PLACES];  // on the trials that are under way
  _Atomic int stopped;
};

unmask_sharing *unmask_sharing_make(
    int rank, int members, unmask_segment *const *segments, const size_t *sizes, const int *nodes,
    const int *processes, size_t chunk) {
  unmask_sharing *sharing = calloc(1, sizeof *sharing);
  sharing->rank = rank;
  sharing->members = members;
  sharing->chunk = chunk;
  // Whoever waits on a processor of his own looks again and again; on a shared one he would keep others from working.
  sharing->spins = members <= sysconf(_SC_NPROCESSORS_ONLN) ? 4000 : 0;
  sharing->segments = calloc(members, sizeof(unmask_segment *));
  sharing->sizes = calloc(members, sizeof(size_t));
  sharing->nodes = calloc(members, sizeof(int));
  sharing->processes = calloc(members, sizeof(struct pollfd));
  for (int m = 0; m < members; m++) {
    sharing->segments[m] = segments[m];
    sharing->sizes[m] = sizes[m];
    sharing->nodes[m] = nodes[m] > 1 ? nodes[m] : 1;
    sharing->leaf_room += sharing->nodes[m];
    // Readable when the process has ended. Where that cannot be asked, the coordinator's word ends the wait.
    sharing->processes[m].fd = m == rank ? -1 : (int)syscall(SYS_pidfd_open, processes[m], 0);
    sharing->processes[m].events = POLLIN;
  }
  sharing->leaves = calloc(sharing->leaf_room, sizeof(void *));
  return sharing;
}

void unmask_sharing_free(unmask_sharing *sharing) {
  for (int m = 0; m < sharing->members; m++) {
    munmap(sharing->segments[m], sharing->sizes[m]);
    if (sharing->processes[m].fd >= 0) close(sharing->processes[m].fd);
  }
  free(sharing->segments);
  free(sharing->sizes);
  free(sharing->nodes);
  free(sharing->processes);
  free(sharing->leaves);
  free(sharing);
}

void unmask_sharing_stop(unmask_sharing *sharing) { atomic_store(&sharing->stopped, 1); }

// ---- counters

static void post(unmask_sharing *sharing, int which, uint32_t value) {
  unmask_segment *segment = sharing->segments[sharing->rank];
  atomic_store(&segment->counters[which].value, value);
  if (atomic_load(&segment->waiting.value) > 0)
    syscall(SYS_futex, &segment->counters[which].value, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static int is_past(unmask_segment *segment, int which, uint32_t value) {
  return (int32_t)(atomic_load_explicit(&segment->counters[which].value, memory_order_acquire) - value) >= 0;
}

static void pause_a_little(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static long milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int sleep_until(unmask_sharing *sharing, int member, int which, uint32_t value, int patience) {
  unmask_segment *segment = sharing->segments[member];
  long begin = milliseconds();
  while (1) {
    struct timespec slice = {0, 20 * 1000000};
    atomic_fetch_add(&segment->waiting.value, 1);
    uint32_t now = atomic_load(&segment->counters[which].value);
    if ((int32_t)(now - value) < 0)
      syscall(SYS_futex, &segment->counters[which].value, FUTEX_WAIT, now, &slice, NULL, 0);
    atomic_fetch_sub(&segment->waiting.value, 1);
    if (is_past(segment, which, value)) return UNMASK_SHARED;
    if (atomic_load(&sharing->stopped)) return UNMASK_STOPPED;
    struct pollfd process = sharing->processes[member];
    if (process.fd >= 0 && poll(&process, 1, 0) > 0)
      return is_past(segment, which, value) ? UNMASK_SHARED : UNMASK_DEAD;
    if (milliseconds() - begin > patience) return UNMASK_LATE;
  }
}

static int wait_for_all(unmask_sharing *sharing, int which, uint32_t value, int patience, int *culprit) {
  for (int m = 0; m < sharing->members; m++) {
    if (m == sharing->rank) continue;
    int left = sharing->spins;
    while (!is_past(sharing->segments[m], which, value)) {
      if (left-- > 0) {
        pause_a_little();
        continue;
      }
      int result = sleep_until(sharing, m, which, value, patience);
      if (result != UNMASK_SHARED) {
        *culprit = m;
        return result;
      }
    }
  }
  return UNMASK_SHARED;
}

// ---- all-reduce

static char *contribution(unmask_sharing *sharing, int member, uint32_t chunk, int node) {
  return (char *)sharing->segments[member] + HEADER
         + ((chunk % PLACES) * sharing->nodes[member] + node) * sharing->chunk;
}

static char *result(unmask_sharing *sharing, int member, uint32_t chunk) {
  return (char *)sharing->segments[member] + HEADER
         + (PLACES * sharing->nodes[member] + chunk % PLACES) * sharing->chunk;
}

// Where a member's part of a chunk begins: at whole lines of cache.
static size_t part(size_t count, int member, int members) {
  size_t at = (count * member / members + 31) / 32 * 32;
  return member == members || at > count ? count : at;
}

// The leaves of elements from `from` on of a chunk that begins at element `begin`.
static void collect(
    unmask_sharing *sharing, const int *counts, const void *const *own, uint32_t chunk, size_t begin, size_t from,
    size_t size) {
  int leaf = 0;
  for (int m = 0; m < sharing->members; m++)
    for (int k = 0; k < counts[m]; k++)
      sharing->leaves[leaf++] = m == sharing->rank ? (const char *)own[k] + (begin + from) * size
                                                   : contribution(sharing, m, chunk, k) + from * size;
}

typedef float line __attribute__((vector_size(16), aligned(4)));

// A copy that stays in this processor's caches. The C library's takes instructions for whole blocks at these sizes, which
// are slower from memory that another processor has just written.
static void copy(void *to, const void *from, size_t bytes) {
  char *target = to;
  const char *source = from;
  for (; bytes >= 4 * sizeof(line); bytes -= 4 * sizeof(line)) {
    line lines[4];
    memcpy(lines, source, sizeof lines);
    for (int i = 0; i < 4; i++) ((volatile line *)target)[i] = lines[i];
    source += sizeof lines;
    target += sizeof lines;
  }
  memcpy(target, source, bytes);
}

// A copy past the caches, straight into memory.
static void copy_past(void *to, const void *from, size_t bytes) {
  char *target = to;
  const char *source = from;
  if ((uintptr_t)to % sizeof(line) == 0) {
    for (; bytes >= 4 * sizeof(line); bytes -= 4 * sizeof(line)) {
      line lines[4];
      memcpy(lines, source, sizeof lines);
      for (int i = 0; i < 4; i++) __builtin_nontemporal_store(lines[i], (line *)target + i);
      source += sizeof lines;
      target += sizeof lines;
    }
    atomic_thread_fence(memory_order_seq_cst);
  }
  memcpy(target, source, bytes);
}

// ---- past the caches or not

typedef void put(void *to, const void *from, size_t bytes);

// Whoever writes to a line that another processor has read must first take it away from there. Where the two share a
// cache that costs little, and the reader finds the line there; where they do not it costs several times as much as
// writing past the caches and reading from memory. On two virtual processors both were seen within one minute (13 or 1.9
// GB/s through the caches, 7 past them), so it is measured all along: both ways are tried at the same chunks by all
// members, and the quicker is taken for the others.
enum { TRIAL = 128, MEASURED = 32 << 10 };

static int is_trial(uint32_t chunk) { return chunk < 8 || chunk % TRIAL < 2; }

static int goes_past(const unmask_sharing *sharing, uint32_t chunk) {
  return is_trial(chunk) ? chunk % 2 : sharing->cost[1] < sharing->cost[0];
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// Counts what work on a chunk took, without the waits.
static void spend(unmask_sharing *sharing, uint32_t chunk, size_t bytes, double begin) {
  if (is_trial(chunk) && bytes >= MEASURED) sharing->spent[chunk % PLACES] += (seconds() - begin) / (double)bytes;
}

static void settle(unmask_sharing *sharing, uint32_t chunk, size_t bytes) {
  if (!is_trial(chunk) || bytes < MEASURED) return;
  double *cost = &sharing->cost[chunk % 2], now = sharing->spent[chunk % PLACES];
  *cost = *cost > 0 ? (*cost + now) / 2 : now;
  sharing->spent[chunk % PLACES] = 0;
}

#define TRY(wait) \
  do { int outcome = (wait); if (outcome != UNMASK_SHARED) return outcome; } while (0)

static int reduce_small(
    unmask_sharing *sharing, int kind, const int *counts, const unmask_addition *additions, size_t addition_count,
    const void *const *own, void *out, size_t elements, int patience, int *culprit) {
  size_t size = unmask_element_size(kind);
  uint32_t chunk = sharing->chunks;
  TRY(wait_for_all(sharing, GATHERED, chunk - (PLACES - 1), patience, culprit));
  for (int k = 0; k < counts[sharing->rank]; k++)
    copy(contribution(sharing, sharing->rank, chunk, k), own[k], elements * size);
  post(sharing, CONTRIBUTED, chunk + 1);
  TRY(wait_for_all(sharing, CONTRIBUTED, chunk + 1, patience, culprit));
  collect(sharing, counts, own, chunk, 0, 0, size);
  unmask_tree_reduce(kind, additions, addition_count, sharing->leaves, out, elements);
  post(sharing, REDUCED, chunk + 1);
  post(sharing, GATHERED, chunk + 1);
  sharing->chunks++;
  return UNMASK_SHARED;
}

int unmask_sharing_reduce(
    unmask_sharing *sharing, int kind, const int *counts, const unmask_addition *additions, size_t addition_count,
    const void *const *own, void *out, size_t elements, int patience, int *culprit) {
  size_t size = unmask_element_size(kind);
  if (elements * size * sharing->members <= SMALL && elements * size <= sharing->chunk)
    return reduce_small(
        sharing, kind, counts, additions, addition_count, own, out, elements, patience, culprit);
  size_t each = sharing->chunk / size, chunks = (elements + each - 1) / each;
  int me = sharing->rank, members = sharing->members;
  // The phases of neighbouring chunks overlap, so that nobody waits for the last member at every phase.
  for (size_t turn = 0; turn < chunks + 2; turn++) {
    if (turn < chunks) {
      uint32_t chunk = sharing->chunks + (uint32_t)turn;
      size_t begin = turn * each, count = elements - begin < each ? elements - begin : each;
      size_t low = part(count, me, members), high = part(count, me + 1, members);
      TRY(wait_for_all(sharing, GATHERED, chunk - (PLACES - 1), patience, culprit));
      double start = seconds();
      put *put = goes_past(sharing, chunk) ? copy_past : copy;
      for (int k = 0; k < counts[me]; k++) {
        const char *from = (const char *)own[k] + begin * size;
        char *to = contribution(sharing, me, chunk, k);
        put(to, from, low * size);
        put(to + high * size, from + high * size, (count - high) * size);
      }
      spend(sharing, chunk, count * size, start);
      post(sharing, CONTRIBUTED, chunk + 1);
    }
    if (turn >= 1 && turn - 1 < chunks) {
      uint32_t chunk = sharing->chunks + (uint32_t)turn - 1;
      size_t begin = (turn - 1) * each, count = elements - begin < each ? elements - begin : each;
      size_t low = part(count, me, members), high = part(count, me + 1, members);
      TRY(wait_for_all(sharing, CONTRIBUTED, chunk + 1, patience, culprit));
      double start = seconds();
      collect(sharing, counts, own, chunk, begin, low, size);
      char *sum = (char *)out + (begin + low) * size;
      unmask_tree_reduce(kind, additions, addition_count, sharing->leaves, sum, high - low);
      put *put = goes_past(sharing, chunk) ? copy_past : copy;
      put(result(sharing, me, chunk), sum, (high - low) * size);
      spend(sharing, chunk, count * size, start);
      post(sharing, REDUCED, chunk + 1);
    }
    if (turn >= 2) {
      uint32_t chunk = sharing->chunks + (uint32_t)turn - 2;
      size_t begin = (turn - 2) * each, count = elements - begin < each ? elements - begin : each;
      TRY(wait_for_all(sharing, REDUCED, chunk + 1, patience, culprit));
      double start = seconds();
      for (int m = 0; m < members; m++) {
        if (m == me) continue;
        size_t low = part(count, m, members), high = part(count, m + 1, members);
        copy((char *)out + (begin + low) * size, result(sharing, m, chunk), (high - low) * size);
      }
      spend(sharing, chunk, count * size, start);
      settle(sharing, chunk, count * size);
      post(sharing, GATHERED, chunk + 1);
    }
  }
  sharing->chunks += (uint32_t)chunks;
  return UNMASK_SHARED;
}
