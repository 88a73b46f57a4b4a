#pragma once
#include "dk_matrix.h"

/// Does what `after` says to the tile of `rows` x `columns` (at most 32) at C[row, column], which `c` points to.
void dk_after_tile(
  const dk_after *after, float *c, int64_t stride, int64_t row, int64_t column, int rows, int columns);
