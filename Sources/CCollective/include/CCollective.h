// Sums in a fixed tree, and all-reduce over memory that the processes of one machine share.
#pragma once
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

// ---- sums

// What elements are, and what is done with two of them.
enum { UNMASK_FLOAT32_SUM = 0, UNMASK_INT16_SUM = 1, UNMASK_INT32_MAX = 2 };

// One addition of a tree. An operand from 0 on is a leaf, -1 - t is the intermediate sum t; the result becomes sum
// `target`, or the output if that is negative.
typedef struct {
  int32_t left, right, target;
} unmask_addition;

// The most intermediate sums that a tree may need at once.
enum { UNMASK_TREE_DEPTH = 16 };

// Adds leaves up in the order of the tree, element by element. Without additions the output is the one leaf. The output
// may be a leaf's own memory.
void unmask_tree_reduce(
    int kind, const unmask_addition *additions, size_t addition_count, const void *const *leaves, void *out,
    size_t elements);

// Bytes of one element.
size_t unmask_element_size(int kind);

// ---- fixed point

// The exponent e of the largest magnitude, |x| < 2^e, at least -126; INT32_MAX if an element is not finite.
int32_t unmask_largest_exponent(const float *values, size_t count);
// Values divided by 2^(exponent - bits + 1), rounded to nearest even: at most `bits` bits with the sign.
void unmask_quantise(const float *values, int16_t *out, size_t count, int32_t exponent, int32_t bits);
// The opposite; everything is NaN if the exponent is INT32_MAX.
void unmask_dequantise(const int16_t *values, float *out, size_t count, int32_t exponent, int32_t bits);

// A 64-bit digest of bytes, in four lanes; tells members apart whose sums differ.
uint64_t unmask_digest(const void *bytes, size_t count, uint64_t seed);

// ---- shared memory

// A member's part of the shared memory: counters that only it raises, then its contributions and its results.
typedef struct unmask_segment unmask_segment;

// Bytes of a segment for this many nodes and chunks of this many bytes.
size_t unmask_segment_size(int nodes, size_t chunk);
// Makes a segment in anonymous shared memory that can neither shrink nor grow; it goes with its last user. Returns a file
// handle, or -1 with errno.
int unmask_segment_make(uint64_t nonce, size_t size);
// Maps a segment of another process, or NULL with errno: EACCES or ENOENT if it cannot be reached, EPROTO if it is not
// the one that was announced.
unmask_segment *unmask_segment_open(int process, int handle, uint64_t nonce, size_t size);
void unmask_segment_close(unmask_segment *segment, size_t size);

// A group of processes that share memory, as one member sees it.
typedef struct unmask_sharing unmask_sharing;

// `segments`, `sizes`, `nodes` and `processes` have an entry a member; the segments belong to the group from now on.
unmask_sharing *unmask_sharing_make(
    int rank, int members, unmask_segment *const *segments, const size_t *sizes, const int *nodes,
    const int *processes, size_t chunk);
void unmask_sharing_free(unmask_sharing *sharing);

// Makes whoever waits in `unmask_sharing_reduce` return, from any thread.
void unmask_sharing_stop(unmask_sharing *sharing);

enum { UNMASK_SHARED = 0, UNMASK_STOPPED = -1, UNMASK_DEAD = -2, UNMASK_LATE = -3 };

// Adds up what all members bring; every member calls it with the same arguments but for its own leaves. `counts` says how
// many leaves each member has. Returns UNMASK_SHARED; UNMASK_DEAD or UNMASK_LATE with the member in `culprit`, if it has
// died, or has not moved for `patience` milliseconds; UNMASK_STOPPED.
int unmask_sharing_reduce(
    unmask_sharing *sharing, int kind, const int *counts, const unmask_addition *additions, size_t addition_count,
    const void *const *own, void *out, size_t elements, int patience, int *culprit);
