public import Tensor

/// Rows of `weight` by index.
///
/// - Shapes: `indices [...]` of whole numbers, `weight [V, D]` → `[..., D]`
/// - Traps: on an index outside 0..<V.
/// - Cost: the gradient is dense, `[V, D]`; the row `paddingIndex` gets none.
public func embedding(_ indices: Tensor, _ weight: Variable, paddingIndex: Int? = nil) -> Variable {
  precondition(weight.value.rank == 2, "embedding: weight \(weight.shape)")
  let (V, D) = (weight.shape[0], weight.shape[1])
  let rows = indices.integers()
  precondition(rows.allSatisfy { $0 >= 0 && $0 < V }, "embedding: an index is outside 0..<\(V)")
  let y = Tensor(indices.shape + [D]) { y in
    weight.value.contiguous().withFloats { w in
      for (i, row) in rows.enumerated() where D > 0 {
        (y.baseAddress! + i * D).update(from: w.baseAddress! + row * D, count: D)
      }
    }
  }
  let skipped = paddingIndex.map { $0 < 0 ? $0 + V : $0 }
  return Tape.record(y, [weight]) { g in
    let d = Tensor([V, D]) { d in
      d.update(repeating: 0)
      g.contiguous().withFloats { g in
        for (i, row) in rows.enumerated() where row != skipped {
          for c in 0..<D { d[row &* D &+ c] += g[i &* D &+ c] }
        }
      }
    }
    return [d]
  }
}
