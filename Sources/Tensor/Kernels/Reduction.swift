internal import CKernels

// Sums whose order depends on the shape alone, whatever the thread count.
extension Tensor {
  /// The sum of all elements.
  public func sum() -> Double { dense().withFloats { $0.isEmpty ? 0 : dk_sum($0.baseAddress!, count) } }

  /// The sum of all squares.
  public func sumOfSquares() -> Double {
    dense().withFloats { $0.isEmpty ? 0 : dk_sum_of_squares($0.baseAddress!, count) }
  }

  /// The largest magnitude; NaN if any element is.
  public func largestMagnitude() -> Float {
    dense().withFloats { $0.isEmpty ? 0 : dk_maximum_magnitude($0.baseAddress!, count) }
  }

  /// Whether no element is infinite or NaN.
  public var isFinite: Bool { dense().withFloats { $0.isEmpty || dk_all_finite($0.baseAddress!, count) != 0 } }

  /// Sums over `axes`, which stay as axes of one element if `keepingAxes`.
  public func sum(axes: [Int], keepingAxes: Bool = false) -> Tensor {
    let summed = Set(axes.map(layout.axis))
    let kept = shape.indices.filter { !summed.contains($0) }
    let result = kept.map { shape[$0] }
    let named = keepingAxes ? shape.indices.map { summed.contains($0) ? 1 : shape[$0] } : result
    guard !summed.isEmpty else { return self }
    // Summed axes first: a sum of rows, vectorised along the kept axes. Summed axes last: a sum of each row.
    let count = result.reduce(1, *)
    let others = self.count / max(1, count)
    guard self.count > 0 else { return Tensor(zeros: named) }
    if let fast = sumsBetween(kept, summed) { return Tensor(fast, shape: named) }
    let last = permuted(kept + summed.sorted())
    let first = permuted(summed.sorted() + kept)
    let sumsColumns = last.layout.isContiguous || (!first.layout.isContiguous && count < 16)
    let values = Tensor(result) { y in
      (sumsColumns ? last : first).contiguous().withFloats { x in
        if sumsColumns {
          dk_sum_columns(x.baseAddress!, y.baseAddress!, count, others)
        } else {
          dk_sum_rows(x.baseAddress!, y.baseAddress!, others, count)
        }
      }
    }
    return values.reshaped(named)
  }

  // Kept axes before and behind the summed ones in memory, as of channels-last images: rows are summed where they lie.
  private func sumsBetween(_ kept: [Int], _ summed: Set<Int>) -> [Float]? {
    guard layout.isDense else { return nil }
    let order = shape.indices.filter { shape[$0] != 1 }.sorted { layout.strides[$0] > layout.strides[$1] }
    guard order.filter({ !summed.contains($0) }) == kept.filter({ shape[$0] != 1 }),
      let first = order.firstIndex(where: summed.contains), let end = order.lastIndex(where: summed.contains),
      first > 0, order[first...end].allSatisfy(summed.contains)
    else { return nil }
    let length = { (axes: ArraySlice<Int>) in axes.reduce(1) { $0 * self.shape[$1] } }
    let (outer, rows, columns) = (length(order[..<first]), length(order[first...end]), length(order[(end + 1)...]))
    guard columns >= 8 else { return nil }
    return withFloats { x in
      [Float](unsafeUninitializedCapacity: outer * columns) { y, count in
        for index in 0..<outer {
          dk_sum_rows(x.baseAddress! + index * rows * columns, y.baseAddress! + index * columns, rows, columns)
        }
        count = outer * columns
      }
    }
  }

  /// The sum of each column of a dense matrix, of floats or bfloat16 numbers: `[rows, columns]` → `[columns]`.
  public func sumOfRows() -> Tensor {
    guard dtype == .bfloat16, count > 0 else { return converted(to: .float32).sum(axes: [0]) }
    return Tensor([shape[1]]) { y in
      contiguous().withBytes {
        dk_sum_rounded_rows(
          $0.assumingMemoryBound(to: UInt16.self).baseAddress!, y.baseAddress!, shape[0], shape[1])
      }
    }
  }

  /// Undoes a broadcast: sums over the axes that `target` lacks or has with one element.
  public func summed(to target: [Int]) -> Tensor {
    if shape == target { return self }
    let extra = rank - target.count
    let axes = shape.indices.filter { $0 < extra || (target[$0 - extra] == 1 && shape[$0] != 1) }
    return sum(axes: axes).reshaped(target)
  }
}
