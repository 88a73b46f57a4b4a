import Tensor

/// LSTM layers on top of each other, in one or both directions.
///
/// - Shapes: `x [T, B, I]`, or `[B, T, I]` if `batchFirst`; `h0 c0 [layers · directions, B, H]`, 0 if nil → output
///   `[T, B, directions · H]` (`[B, T, …]`), last h and c `[layers · directions, B, H]`; a lone sequence lacks `B` in all
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
    let state = { (all: Variable?) in initialState(all, index, batch: input.shape[1], weights) }
    let step = lstmLayer(input, weights, h0: state(h0), c0: state(c0), lengths: lengths, reversed: reversed)
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
    let state = initialState(h0, index, batch: input.shape[1], weights)
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

private func initialState(_ all: Variable?, _ index: Int, batch: Int, _ weights: RecurrentWeights) -> Variable {
  all.map { select($0, axis: 0, index) } ?? Variable(Tensor(zeros: [batch, weights.hidden.shape[1]]))
}

private func inserting(_ axis: Int, _ x: Variable) -> Variable {
  var shape = x.shape
  shape.insert(1, at: axis)
  return reshape(x, shape)
}
