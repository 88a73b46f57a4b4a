import CKernels
public import Tensor

/// Which elements of a tensor become 0: random words that belong to places in memory, drawn when they are needed.
public struct DropoutMask: Sendable {
  let rate: Float
  let words: (key: UInt64, lane: UInt64, position: UInt64)

  /// Sets words for `count` elements aside.
  ///
  /// - Traps: unless `rate` is in 0..<1.
  public init(count: Int, rate: Float, random: inout RandomStream) {
    precondition(rate >= 0 && rate < 1, "dropout: rate \(rate)")
    self.rate = rate
    words = random.reserve(blocks: (count + 3) / 4)
  }

  var threshold: UInt32 { UInt32((Double(rate) * 0x1p32).rounded()) }
  var scale: Float { 1 / (1 - rate) }

  /// Values, and slopes alike, changed where they are.
  func apply(to values: UnsafeMutableRawPointer, _ slopes: UnsafeMutableRawPointer?, _ type: DType, count: Int) {
    dk_dropout_in_place(
      values, slopes, type == .bfloat16 ? 1 : 0, count, threshold, scale, words.key, words.lane, words.position)
  }
}

/// Each element 0 with probability `rate`, else divided by 1 − rate.
///
/// - Cost: keeps nothing; backward draws the same random words again.
/// - Source: Srivastava et al. 2014, JMLR 15.
public func dropout(_ x: Variable, rate: Float, random: inout RandomStream) -> Variable {
  if rate == 0 { return x }
  let mask = DropoutMask(count: x.value.count, rate: rate, random: &random)
  let input = x.value.dense()
  // The words belong to places in memory, so backward applies them in the same memory order.
  func dropped(_ x: Tensor) -> Tensor {
    Tensor(layout: x.layout.withoutOffset) { y in
      withFloats(x) { x in
        guard let x, let y = y.baseAddress else { return }
        let words = mask.words
        dk_dropout(x, y, input.count, mask.threshold, mask.scale, words.key, words.lane, words.position)
      }
    }
  }
  let layout = input.layout
  return Tape.record(dropped(input), [x]) { g in [dropped(g.laidOut(like: layout))] }
}
