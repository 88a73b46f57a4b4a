// Operands of our products, as the panels that the innermost loops read. Sources say where numbers lie; packing copies
// a block of them, in the order of use, and rounds to bfloat16 where that is asked for.
#pragma once
#include <stdint.h>

// Words of a panel: single floats, or pairs of bfloat16 that are neighbours along the sum.
enum { dk_tile_height = 14, dk_tile_width = 32 };

typedef struct dk_source dk_source;
/// Writes the panel of `count` lines (rows of A, columns of B) from `first`, for the terms `from..<from + terms` of the
/// sum: word p of line r goes to `to[p * pitch + r]`. May write up to 16 words past its end.
typedef void (*dk_pack)(
  const dk_source *source, int64_t first, int count, int pitch, int64_t from, int64_t terms, int bfloat16, float *to);

struct dk_source {
  dk_pack pack;
  const void *base;  // floats, or bfloat16 numbers
  int64_t line;  // numbers from one line to the next
  int64_t term;  // numbers from one term of the sum to the next
  const void *context;
  int bytes_of_work;  // what packing a number costs, to choose which operand is packed twice: 1 a copy, 2 transposed
};

/// A matrix in memory: `line` or `term` must be 1.
dk_source dk_strided_source(const float *base, int64_t line, int64_t term);
/// The same of bfloat16 numbers; where terms are adjacent, there must be an even number of them.
dk_source dk_rounded_source(const uint16_t *base, int64_t line, int64_t term);

/// Matrices of the same shape, one above the other: `piece` rows each, a multiple of 32, of `stride` floats. Rows are lines,
/// or terms of the sum.
typedef struct {
  const float *const *pieces;
  int64_t piece, stride;
  int rows_are_lines;
} dk_stack;
dk_source dk_stacked_source(const dk_stack *stack);

/// Packs lines that begin at `starts` (null: a line of zeros), each with `terms` adjacent floats, to words from `to`.
void dk_pack_lines(const float *const *starts, int count, int pitch, int64_t terms, int bfloat16, float *to);
/// Packs `terms` terms that begin at `starts` (null: zeros), each with `count` adjacent lines; words of other lines are
/// left as they are.
void dk_pack_terms(const float *const *starts, int count, int pitch, int64_t terms, int bfloat16, float *to);
