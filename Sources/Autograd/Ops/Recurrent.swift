import CKernels
import Tensor

/// One direction of one LSTM or GRU layer: weights, and where each sequence ends.
public struct RecurrentWeights {
  /// Input to gates, `[gates · H, I]`; gates in order i, f, g, o (LSTM) or r, z, n (GRU).
  public let input: Variable
  /// State to gates, `[gates · H, H]`; `[4H, P]` where an LSTM's state is projected.
  public let hidden: Variable
  /// `[gates · H]`, added to the input's part.
  public let inputBias: Variable?
  /// `[gates · H]`, added to the state's part.
  public let hiddenBias: Variable?
  /// Output to state, `[P, H]`; LSTM only.
  public let projection: Variable?

  /// Weights of one direction.
  public init(
    input: Variable, hidden: Variable, inputBias: Variable? = nil, hiddenBias: Variable? = nil,
    projection: Variable? = nil
  ) {
    self.input = input
    self.hidden = hidden
    self.inputBias = inputBias
    self.hiddenBias = hiddenBias
    self.projection = projection
  }
}

/// Long short-term memory over a sequence, one direction of one layer.
///
/// - Shapes: `x [T, B, I]`, `h0 c0 [B, H]` → output `[T, B, H]`, last h `[B, H]`, last c `[B, H]`. Beyond a sequence's own
///   length outputs are 0 and the state stays.
/// - Cost: the input's part is one product for all steps; keeps the gates `[T, B, 4H]`, cells and states.
/// - Source: Hochreiter and Schmidhuber 1997; gates as in PyTorch.
public func lstmLayer(
  _ x: Variable, _ weights: RecurrentWeights, h0: Variable, c0: Variable, lengths: [Int]? = nil, reversed: Bool = false
) -> (output: Variable, h: Variable, c: Variable) {
  let (T, B, H) = (x.shape[0], x.shape[1], weights.hidden.shape[1])
  precondition(weights.hidden.shape == [4 * H, H], "lstm: hidden weight \(weights.hidden.shape)")
  // Both biases enter the same sum.
  let bias = [weights.inputBias, weights.hiddenBias].compactMap { $0 }.reduce(nil as Variable?) { sum, b in
    sum.map { $0 + b } ?? b
  }
  let gates = linear(x, weights.input, bias)  // [T, B, 4H]
  let w = weights.hidden.value.contiguous()
  let steps = order(T, reversed)
  let lengths = lengths?.map(Int64.init)

  // States before the first step and after each one: [T + 1, B, H], in the order of time going on.
  var (cells, states, activated) = (Tensor(zeros: [0]), Tensor(zeros: [0]), Tensor(zeros: [0]))
  let y = Tensor([T, B, H]) { y in
    cells = Tensor([T + 1, B, H]) { c in
      states = Tensor([T + 1, B, H]) { h in
        activated = Tensor([T, B, 4 * H]) { a in
          copy(h0.value, to: h.baseAddress)
          copy(c0.value, to: c.baseAddress)
          copy(gates.value, to: a.baseAddress)
          guard T > 0, let h = h.baseAddress, let c = c.baseAddress, let a = a.baseAddress else { return }
          let hidden = StepFactor(w, transposed: true)
          for (step, t) in steps.enumerated() {
            let before = step * B * H
            let gate = a + t * B * 4 * H
            hidden.add(h + before, into: gate, rows: B)
            dk_lstm_step(
              Int64(B), Int64(H), Int64(t), lengths, gate, h + before, c + before, h + before + B * H,
              c + before + B * H, y.baseAddress! + t * B * H)
          }
        }
      }
    }
  }
  let last = (
    h: states.sliced(axis: 0, T..<T + 1).reshaped([B, H]), c: cells.sliced(axis: 0, T..<T + 1).reshaped([B, H])
  )
  let needsWeight = weights.hidden.needsGradient
  let outputs = Tape.recordMany([y, last.h, last.c], [gates, weights.hidden, h0, c0]) {
    [cells, states, activated] g in
    var (dh0, dc0) = (Tensor(zeros: [0]), Tensor(zeros: [0]))
    let dgates = Tensor([T, B, 4 * H]) { d in
      dh0 = Tensor([B, H]) { dh in
        dc0 = Tensor([B, H]) { dc in
          copy(g[1], to: dh.baseAddress, count: B * H)
          copy(g[2], to: dc.baseAddress, count: B * H)
          guard T > 0, let dh = dh.baseAddress, let dc = dc.baseAddress, let d = d.baseAddress else { return }
          let hidden = StepFactor(w, transposed: false)
          withFloats(activated, cells, g[0]?.contiguous()) { a, c, gy in
            for (step, t) in steps.enumerated().reversed() {
              let before = c! + step * B * H
              let gate = d + t * B * 4 * H
              dk_lstm_step_gradient(
                Int64(B), Int64(H), Int64(t), lengths, a! + t * B * 4 * H, before, before + B * H,
                gy.map { $0 + t * B * H }, dh, dc, gate)
              hidden.add(gate, into: dh, rows: B)
            }
          }
        }
      }
    }
    let dw = needsWeight ? hiddenWeightGradient(dgates, states, steps) : nil
    return [dgates, dw, dh0, dc0]
  }
  return (outputs[0], outputs[1], outputs[2])
}

/// Gated recurrent unit over a sequence, one direction of one layer; the reset gate acts after the hidden product and its
/// bias.
///
/// - Shapes: `x [T, B, I]`, `h0 [B, H]` → output `[T, B, H]`, last h `[B, H]`. Beyond a sequence's own length outputs are
///   0 and the state stays.
/// - Cost: the input's part is one product for all steps; keeps `[T, B, 4H]` and states.
/// - Source: Cho et al. 2014, arXiv:1406.1078; gates as in PyTorch.
public func gruLayer(
  _ x: Variable, _ weights: RecurrentWeights, h0: Variable, lengths: [Int]? = nil, reversed: Bool = false
) -> (output: Variable, h: Variable) {
  let (T, B, H) = (x.shape[0], x.shape[1], weights.hidden.shape[1])
  precondition(weights.hidden.shape == [3 * H, H], "gru: hidden weight \(weights.hidden.shape)")
  let gates = linear(x, weights.input, weights.inputBias)  // [T, B, 3H]
  let bias = weights.hiddenBias ?? Variable(Tensor(zeros: [3 * H]))
  let w = weights.hidden.value.contiguous()
  let steps = order(T, reversed)
  let lengths = lengths?.map(Int64.init)

  var (states, kept) = (Tensor(zeros: [0]), Tensor(zeros: [0]))
  let y = Tensor([T, B, H]) { y in
    states = Tensor([T + 1, B, H]) { h in
      kept = Tensor([T, B, 4 * H]) { a in
        copy(h0.value, to: h.baseAddress)
        guard T > 0, let h = h.baseAddress, let a = a.baseAddress else { return }
        let biases = bias.value.broadcast(to: [B, 3 * H]).contiguous()
        let factor = StepFactor(w, transposed: true)
        withFloats(gates.value.contiguous()) { x in
          _ = Tensor([B, 3 * H]) { hidden in
            for (step, t) in steps.enumerated() {
              let before = h + step * B * H
              copy(biases, to: hidden.baseAddress)
              factor.add(before, into: hidden.baseAddress!, rows: B)
              dk_gru_step(
                Int64(B), Int64(H), Int64(t), lengths, x! + t * B * 3 * H, hidden.baseAddress!, before,
                a + t * B * 4 * H, before + B * H, y.baseAddress! + t * B * H)
            }
          }
        }
      }
    }
  }
  let last = states.sliced(axis: 0, T..<T + 1).reshaped([B, H])
  let needs = (w: weights.hidden.needsGradient, b: bias.needsGradient)
  let outputs = Tape.recordMany([y, last], [gates, weights.hidden, bias, h0]) { [states, kept] g in
    var (dh0, dhidden) = (Tensor(zeros: [0]), Tensor(zeros: [0]))
    let dgates = Tensor([T, B, 3 * H]) { dx in
      dhidden = Tensor([T, B, 3 * H]) { ds in
        dh0 = Tensor([B, H]) { dh in
          copy(g[1], to: dh.baseAddress, count: B * H)
          guard T > 0, let dh = dh.baseAddress, let dx = dx.baseAddress, let ds = ds.baseAddress else { return }
          let hidden = StepFactor(w, transposed: false)
          withFloats(kept, states, g[0]?.contiguous()) { a, h, gy in
            for (step, t) in steps.enumerated().reversed() {
              dk_gru_step_gradient(
                Int64(B), Int64(H), Int64(t), lengths, a! + t * B * 4 * H, h! + step * B * H,
                gy.map { $0 + t * B * H }, dh, dx + t * B * 3 * H, ds + t * B * 3 * H)
              hidden.add(ds + t * B * 3 * H, into: dh, rows: B)
            }
          }
        }
      }
    }
    let dw = needs.w ? hiddenWeightGradient(dhidden, states, steps) : nil
    return [dgates, dw, needs.b ? dhidden.sum(axes: [0, 1]) : nil, dh0]
  }
  return (outputs[0], outputs[1])
}

private func order(_ T: Int, _ reversed: Bool) -> [Int] { reversed ? (0..<T).reversed() : Array(0..<T) }

// Σ over steps of dgatesᵀ · state before the step. `states` lie in the order of the steps, gates in that of time.
private func hiddenWeightGradient(_ dgates: Tensor, _ states: Tensor, _ steps: [Int]) -> Tensor {
  let (T, B, G, H) = (dgates.shape[0], dgates.shape[1], dgates.shape[2], states.shape[2])
  var before = states.sliced(axis: 0, 0..<T)
  if steps.first != 0, T > 1 {
    before = Tensor.concatenated(steps.map { before.sliced(axis: 0, T - 1 - $0..<T - $0) }.reversed(), axis: 0)
  }
  return Tensor.product(dgates.reshaped([T * B, G]), before.reshaped([T * B, H]), transposeA: true)
}

private func copy(_ x: Tensor, to target: UnsafeMutablePointer<Float>?) {
  x.contiguous().withFloats { x in
    if let target, let start = x.baseAddress { target.update(from: start, count: x.count) }
  }
}

private func copy(_ x: Tensor?, to target: UnsafeMutablePointer<Float>?, count: Int) {
  if let x { copy(x, to: target) } else { target?.update(repeating: 0, count: count) }
}

/// A matrix that states of one step after the other are multiplied by, packed once where the processor can.
private struct StepFactor {
  private let w: Tensor
  private let packed: PackedFactor?
  private let inner, columns: Int
  private let transposed: Bool

  /// `w` `[inner, columns]`, or `[columns, inner]` if `transposed`, row-major without gaps.
  init(_ w: Tensor, transposed: Bool) {
    (self.w, self.transposed) = (w, transposed)
    (inner, columns) = transposed ? (w.shape[1], w.shape[0]) : (w.shape[0], w.shape[1])
    packed = PackedFactor.of(w, transposed: transposed)
  }

  /// y += a · w, for `rows` rows without gaps.
  func add(_ a: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, rows: Int) {
    if let packed {
      let a = dk_operand(base: a, stride: Int64(inner), transposed: 0, halves: 0)
      return dk_packed_product(
        Int64(rows), Int64(columns), Int64(inner), a, packed.panels, 1, y, Int64(columns), nil)
    }
    w.withFloats {
      dk_matrix_product(
        0, transposed ? 1 : 0, Int64(rows), Int64(columns), Int64(inner), 1, a, Int64(inner), $0.baseAddress!,
        Int64(transposed ? inner : columns), 1, y, Int64(columns), nil)
    }
  }
}
