import CKernels
public import Tensor

/// Whether `selfAttention` can project to this width on this processor.
public func projectsTogether(width: Int) -> Bool { dk_has_stacked_products() != 0 && width % 32 == 0 }

/// Attention of a sequence to itself: queries, keys and values are x wᵀ + b, made in one product, and so are the gradients.
///
/// - Shapes: `x [B, N, D]`, three weights `[D, D]` for queries, keys and values, biases `[D]?` → `[B, N, D]`, heads merged
/// - Traps: unless `projectsTogether(width: D)` and `heads` divides D.
/// - Cost: keeps x, the projections and the result.
public func selfAttention(
  _ x: Variable, weights: [Variable], biases: [Variable?], heads: Int, mask: Tensor? = nil, causal: Bool = false
) -> Variable {
  let (B, N, D) = (x.shape[0], x.shape[1], x.shape[2])
  precondition(
    projectsTogether(width: D) && D % heads == 0 && weights.allSatisfy { $0.shape == [D, D] } && weights.count == 3,
    "self-attention: weights \(weights.map(\.shape)) for \(x.shape), \(heads) heads")
  precondition(biases.allSatisfy { $0 == nil || $0!.shape == [D] }, "self-attention: biases")
  let rows = x.value.reshaped([-1, D]).contiguous()
  let maps = weights.map { $0.value.contiguous() }
  let hasBias = biases.contains { $0 != nil }
  let row = hasBias ? Tensor.concatenated(biases.map { $0?.value ?? Tensor(zeros: [D]) }, axis: 0) : nil
  let joined = stacked(rows, maps, transposed: true, adding: row)  // [B · N, 3D]
  let steps = [N * 3 * D, D / heads, 3 * D]
  let parts = (0..<3).map { part in
    Tensor(
      storage: joined.storage,
      layout: Layout(shape: [B, heads, N, D / heads], strides: steps + [1], offset: part * D), dtype: .float32)
  }
  let call = AttentionCall(parts[0], parts[1], parts[2], mask: mask, causal: causal)
  let (y, logSums) = call.forward()
  let needsX = x.needsGradient
  let needs = (weights + biases.compactMap { $0 }).contains(where: \.needsGradient)
  let inputs = [x] + weights + biases.compactMap { $0 }
  let given = biases.map { $0 != nil }
  return Tape.record(y.transposed(1, 2).reshaped([B, N, D]), inputs) { g in
    let g = g.reshaped([B, N, heads, D / heads]).transposed(1, 2)
    let joint = Tensor([B * N, 3 * D]) { out in
      guard let base = out.baseAddress else { return }
      let places = (0..<3).map { Optional(base + $0 * D) }
      call.backward(y, logSums, g, into: places, Array(repeating: steps.map(Int64.init), count: 3))
    }
    var gradients: [Tensor?] = [needsX ? stacked(joint, maps, transposed: false).reshaped([B, N, D]) : nil]
    guard needs else { return gradients + [Tensor?](repeating: nil, count: inputs.count - 1) }
    let dw = Tensor.product(joint, rows, transposeA: true)  // [3D, D]
    let db = hasBias ? joint.sumOfRows() : nil
    for part in 0..<3 { gradients.append(dw.sliced(axis: 0, part * D..<(part + 1) * D)) }
    for part in 0..<3 where given[part] { gradients.append(db!.sliced(axis: 0, part * D..<(part + 1) * D)) }
    return gradients
  }
}

// x times the matrices one above the other, or times the transposed ones side by side.
private func stacked(_ x: Tensor, _ maps: [Tensor], transposed: Bool, adding row: Tensor? = nil) -> Tensor {
  let (piece, columns) = (maps[0].shape[0], maps[0].shape[1])
  let (count, stride) = (x.shape[0], x.shape[1])
  let width = transposed ? maps.count * piece : columns
  return Tensor([x.shape[0], width]) { y in
    guard let y = y.baseAddress else { return }
    func open(_ pieces: [UnsafePointer<Float>?]) {
      if pieces.count < maps.count {
        return maps[pieces.count].withFloats { open(pieces + [$0.baseAddress]) }
      }
      withFloats(x, row) { x, row in
        func run(_ after: UnsafePointer<dk_after>?) {
          dk_stacked_product(
            transposed ? 1 : 0, Int64(count), Int64(columns), x!, Int64(stride), Int64(maps.count), Int64(piece),
            pieces, y, after)
        }
        guard let row else { return run(nil) }
        var after = dk_after()
        after.bias = row
        withUnsafePointer(to: after) { run($0) }
      }
    }
    open([])
  }
}
