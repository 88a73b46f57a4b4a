import CKernels
public import Tensor

/// Each element 0 with probability `rate`, else divided by 1 − rate.
///
/// - Cost: keeps nothing; backward draws the same random words again.
/// - Source: Srivastava et al. 2014, JMLR 15.
public func dropout(_ x: Variable, rate: Float, random: inout RandomStream) -> Variable {
  precondition(rate >= 0 && rate < 1, "dropout: rate \(rate)")
  if rate == 0 { return x }
  let words = random.reserve(blocks: (x.value.count + 3) / 4)
  let threshold = UInt32((Double(rate) * 0x1p32).rounded())
  let input = x.value.dense()
  // The words belong to places in memory, so backward applies them in the same memory order.
  func dropped(_ x: Tensor) -> Tensor {
    Tensor(layout: x.layout.withoutOffset) { y in
      withFloats(x) { x in
        guard let x, let y = y.baseAddress else { return }
        dk_dropout(x, y, input.count, threshold, 1 / (1 - rate), words.key, words.lane, words.position)
      }
    }
  }
  let layout = input.layout
  return Tape.record(dropped(input), [x]) { g in [dropped(g.laidOut(like: layout))] }
}
