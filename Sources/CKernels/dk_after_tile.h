// What follows a product, for one tile; included once for each kind of processor and of stored numbers. NAME names the
// functions, LOAD_STORED and STORE_STORED move what `slopes` and `factors` hold, FINISH writes a result.

DK_INLINE TARGET void NAME(finish)(
  const dk_after *a, const int activation, float *c, int64_t at, int64_t column, const int count) {
  lanes v, other;
  lanes_load(&v, c, count);
  if (a->bias) {
    lanes_load(&other, a->bias + column, count);
    v += other;
  }
  if (a->factors) {
    LOAD_STORED(&other, a->factors, at, count);
    v *= other;
  } else if (activation >= 0) {
    switch (activation) {
      case dk_gelu: gelu_both(&v, &other); break;
      case dk_gelu_tanh: gelu_tanh_both(&v, &other); break;
      case dk_quick_gelu: quick_gelu_both(&v, &other); break;
      case dk_silu: silu_both(&v, &other); break;
      default: relu_both(&v, &other); break;
    }
    if (a->slopes) STORE_STORED(a->slopes, at, &other, count);
  }
  if (a->scale) {
    lanes_load(&other, a->scale + column, count);
    v *= other;
  }
  if (a->residual) {
    lanes_load(&other, a->residual + at, count);
    v += other;
  }
  FINISH(c, &v, count);
}

DK_INLINE TARGET void NAME(tile_of)(
  const dk_after *a, const int activation, float *c, int64_t stride, int64_t row, int64_t column, int rows,
  int columns) {
  for (int i = 0; i < rows; ++i) {
    const int64_t at = (row + i) * a->stride + column;
    int j = 0;
    for (; j + dk_lanes <= columns; j += dk_lanes)
      NAME(finish)(a, activation, c + i * stride + j, at + j, column + j, dk_lanes);
    if (j < columns) NAME(finish)(a, activation, c + i * stride + j, at + j, column + j, columns - j);
  }
}

TARGET CLONES static void NAME(tile)(
  const dk_after *a, float *c, int64_t stride, int64_t row, int64_t column, int rows, int columns) {
  switch (a->has_activation ? (int)a->activation : -1) {
    case dk_gelu: NAME(tile_of)(a, dk_gelu, c, stride, row, column, rows, columns); break;
    case dk_gelu_tanh: NAME(tile_of)(a, dk_gelu_tanh, c, stride, row, column, rows, columns); break;
    case dk_quick_gelu: NAME(tile_of)(a, dk_quick_gelu, c, stride, row, column, rows, columns); break;
    case dk_silu: NAME(tile_of)(a, dk_silu, c, stride, row, column, rows, columns); break;
    case dk_relu: NAME(tile_of)(a, dk_relu, c, stride, row, column, rows, columns); break;
    default: NAME(tile_of)(a, -1, c, stride, row, column, rows, columns); break;
  }
}
