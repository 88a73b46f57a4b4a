import Tensor

/// LSTM layers on top of each other, in one or both directions.
///
/// - Shapes: `x [T, B, I]`, or `[B, T, I]` if `batchFirst`; `h0 c0 [layers · directions, B, H]`, 0 if nil → output
///   `[T, B, directions · H]` (`[B, T, …]`), last h and c `[layers · directions, B, H]`; a lone sequence lacks `B` in all.
///   With projections h is of their width P, and so is the output of each direction.
/// - Traps: unless every layer has one or two directions.
public func lstm(
  _ x: Variable, layers: [[RecurrentWeights]], h0: Variable? = nil, c0: Variable? = nil, batchFirst: Bool = true,
  lengths: [Int]? = nil, between: (Variable) -> Variable = { $0 }
) -> (output: Variable, h: Variable, c: Variable) {
  if x.shape.count == 2 {
    let lone = lstm(
      inserting(1, x), layers: layers, h0: h0.map { inserting(1, $0) }, c0: c0.map { inserting(1, $0) },
      batchFirst: false, lengths: lengths, between: between)
    return (select(lone.output, axis: 1, 0), select(lone.h, axis: 1, 0), select(lone.c, axis: 1, 0))
  }
  let result = stacked(x, layers, batchFirst: batchFirst, lengths, between) { input, weights, index, reversed in
    let B = input.shape[1]
    let h = initialState(h0, index, batch: B, width: weights.hidden.shape[1])
    let c = initialState(c0, index, batch: B, width: weights.hidden.shape[0] / 4)
    let step =
      weights.projection == nil
      ? lstmLayer(input, weights, h0: h, c0: c, lengths: lengths, reversed: reversed)
      : projectedLSTMLayer(input, weights, h, c, lengths, reversed)
    return (step.output, [step.h, step.c])
  }
  return (result.output, result.states[0], result.states[1])
}

/// GRU layers on top of each other, in one or both directions; shapes as for `lstm`.
public func gru(
  _ x: Variable, layers: [[RecurrentWeights]], h0: Variable? = nil, batchFirst: Bool = true, lengths: [Int]? = nil,
  between: (Variable) -> Variable = { $0 }
) -> (output: Variable, h: Variable) {
  if x.shape.count == 2 {
    let lone = gru(
      inserting(1, x), layers: layers, h0: h0.map { inserting(1, $0) }, batchFirst: false, lengths: lengths,
      between: between)
    return (select(lone.output, axis: 1, 0), select(lone.h, axis: 1, 0))
  }
  let result = stacked(x, layers, batchFirst: batchFirst, lengths, between) { input, weights, index, reversed in
    let state = initialState(h0, index, batch: input.shape[1], width: weights.hidden.shape[1])
    let step = gruLayer(input, weights, h0: state, lengths: lengths, reversed: reversed)
    return (step.output, [step.h])
  }
  return (result.output, result.states[0])
}

private func stacked(
  _ x: Variable, _ layers: [[RecurrentWeights]], batchFirst: Bool, _ lengths: [Int]?,
  _ between: (Variable) -> Variable,
  _ run: (_ input: Variable, RecurrentWeights, _ index: Int, _ reversed: Bool) -> (Variable, [Variable])
) -> (output: Variable, states: [Variable]) {
  precondition(x.shape.count == 3, "recurrent layers: input \(x.shape) is not a batch of sequences")
  precondition(!layers.isEmpty && layers.allSatisfy { (1...2).contains($0.count) }, "recurrent layers: directions")
  var input = batchFirst ? transpose(x, 0, 1) : x
  precondition(lengths == nil || lengths!.count == input.shape[1], "recurrent layers: one length a sequence")
  var states: [[Variable]] = []
  for (depth, directions) in layers.enumerated() {
    if depth > 0 { input = between(input) }
    let results = directions.enumerated().map { direction, weights in
      run(input, weights, depth * directions.count + direction, direction == 1)
    }
    input = results.count == 1 ? results[0].0 : concat(results.map(\.0), axis: 2)
    states += results.map(\.1)
  }
  let joined = states[0].indices.map { kind in stack(states.map { $0[kind] }, axis: 0) }
  return (batchFirst ? transpose(input, 0, 1) : input, joined)
}

private func initialState(_ all: Variable?, _ index: Int, batch: Int, width: Int) -> Variable {
  all.map { select($0, axis: 0, index) } ?? Variable(Tensor(zeros: [batch, width]))
}

/// `lstmLayer` whose state is a linear map of what the cell gives, step by step with the operations that there are.
///
/// - Source: Sak et al. 2014, arXiv:1402.1128; as in PyTorch with `proj_size`.
private func projectedLSTMLayer(
  _ x: Variable, _ weights: RecurrentWeights, _ h0: Variable, _ c0: Variable, _ lengths: [Int]?, _ reversed: Bool
) -> (output: Variable, h: Variable, c: Variable) {
  let (T, H) = (x.shape[0], weights.hidden.shape[0] / 4)
  let projection = weights.projection!
  precondition(
    weights.hidden.shape[1] == projection.shape[0] && projection.shape[1] == H, "lstm: projection \(projection.shape)")
  let bias = [weights.inputBias, weights.hiddenBias].compactMap { $0 }.reduce(nil as Variable?) { sum, b in
    sum.map { $0 + b } ?? b
  }
  let gates = linear(x, weights.input, bias)  // [T, B, 4H]
  var (h, c, outputs) = (h0, c0, [Variable?](repeating: nil, count: T))
  for t in reversed ? Array((0..<T).reversed()) : Array(0..<T) {
    let gate = select(gates, axis: 0, t) + linear(h, weights.hidden, nil)
    func part(_ index: Int) -> Variable { slice(gate, axis: 1, index * H..<(index + 1) * H) }
    let cell = sigmoid(part(1)) * c + sigmoid(part(0)) * tanh(part(2))
    let state = linear(sigmoid(part(3)) * tanh(cell), projection, nil)
    guard let lengths else {
      (h, c, outputs[t]) = (state, cell, state)
      continue
    }
    let inside = Tensor(lengths.map { t < $0 ? 1 : 0 }, shape: [lengths.count, 1])
    let (here, beyond) = (Variable(inside), Variable(inside.affine(-1, 1)))
    (h, c) = (state * here + h * beyond, cell * here + c * beyond)
    outputs[t] = state * here
  }
  return (stack(outputs.map { $0! }, axis: 0), h, c)
}

private func inserting(_ axis: Int, _ x: Variable) -> Variable {
  var shape = x.shape
  shape.insert(1, at: axis)
  return reshape(x, shape)
}
