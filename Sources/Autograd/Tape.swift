public import Tensor

/// Operations in the order they ran. Reverse order is a valid backward order, so there is no graph search, and freeing
/// the tape never recurses.
public final class Tape {
  /// From an output's gradient to each input's; nil for inputs that need none.
  public typealias Pullback = (_ outputGradient: Tensor) -> [Tensor?]
  /// The same for an operation of several outputs; an output that nobody used has no gradient.
  public typealias ManyPullback = (_ outputGradients: [Tensor?]) -> [Tensor?]

  private enum Entry {
    case leaf
    case operation(inputs: [Int?], pullback: Pullback)
    // `outputs` entries follow it.
    case many(inputs: [Int?], outputs: Int, pullback: ManyPullback)
    case output
  }

  private var entries: [Entry] = []

  /// An empty tape.
  public init() {}

  /// Number of entries.
  public var count: Int { entries.count }

  /// An input whose gradient `backward` reports.
  public func leaf(_ value: Tensor) -> Variable {
    entries.append(.leaf)
    return Variable(value, self, entries.count - 1)
  }

  /// Records `value` if any input is tracked; otherwise it is a constant.
  public static func record(_ value: Tensor, _ inputs: [Variable], pullback: @escaping Pullback) -> Variable {
    record(value, inputs, again: nil, pullback: pullback)
  }

  static func record(
    _ value: Tensor, _ inputs: [Variable], again: (() -> Tensor)?, pullback: @escaping Pullback
  ) -> Variable {
    guard let tape = commonTape(inputs) else { return Variable(value) }
    tape.entries.append(.operation(inputs: inputs.map(\.index), pullback: pullback))
    return Variable(value, tape, tape.entries.count - 1, again: again)
  }

  /// Records several values of one operation.
  public static func recordMany(_ values: [Tensor], _ inputs: [Variable], pullback: @escaping ManyPullback)
    -> [Variable]
  {
    guard let tape = commonTape(inputs) else { return values.map { Variable($0) } }
    tape.entries.append(.many(inputs: inputs.map(\.index), outputs: values.count, pullback: pullback))
    return values.map { value in
      tape.entries.append(.output)
      return Variable(value, tape, tape.entries.count - 1)
    }
  }

  private static func commonTape(_ inputs: [Variable]) -> Tape? {
    var tape: Tape?
    for case let other? in inputs.lazy.map(\.slot?.tape) {
      precondition(tape == nil || tape === other, "an operation's inputs are on different tapes")
      tape = other
    }
    return tape
  }

  /// Gradients of `output`, consuming the tape: entries are freed as they are used, and `ready` gets each leaf's gradient
  /// as soon as it is final. Leaves that `output` does not depend on are not reported.
  ///
  /// - Traps: if `output` is not on this tape, or if it is not a scalar and no `gradient` is given.
  public func backward(from output: Variable, gradient: Tensor? = nil, ready: (Int, Tensor) -> Void) {
    guard let gradient = gradient ?? (output.value.count == 1 ? Tensor(full: 1, shape: output.shape) : nil) else {
      preconditionFailure("backward: from shape \(output.shape) without a gradient")
    }
    backward(from: [(output, gradient)], ready: ready)
  }

  /// Gradients of several outputs at once, each with its own gradient.
  public func backward(from outputs: [(variable: Variable, gradient: Tensor)], ready: (Int, Tensor) -> Void) {
    var gradients = [Tensor?](repeating: nil, count: entries.count)
    for (output, gradient) in outputs {
      guard let slot = output.slot, slot.tape === self else {
        preconditionFailure("backward: the output is not on this tape")
      }
      precondition(gradient.shape == output.shape, "backward: gradient \(gradient.shape) for \(output.shape)")
      Tape.accumulate(gradient, &gradients[slot.index])
    }
    while let entry = entries.popLast() {
      let index = entries.count
      switch entry {
      case .output:
        continue
      case .leaf:
        if let gradient = gradients[index] { ready(index, gradient) }
      case .operation(let inputs, let pullback):
        guard let gradient = gradients[index] else { continue }
        gradients[index] = nil
        Tape.distribute(pullback(gradient), to: inputs, &gradients)
      case .many(let inputs, let outputs, let pullback):
        let range = index + 1...index + outputs
        guard gradients[range].contains(where: { $0 != nil }) else { continue }
        let received = Array(gradients[range])
        for output in range { gradients[output] = nil }
        Tape.distribute(pullback(received), to: inputs, &gradients)
      }
      gradients[index] = nil
    }
  }

  private static func distribute(_ results: [Tensor?], to inputs: [Int?], _ gradients: inout [Tensor?]) {
    precondition(results.count == inputs.count, "a pullback gave \(results.count) gradients for \(inputs.count) inputs")
    for (input, result) in zip(inputs, results) {
      if let input, let result { accumulate(result, &gradients[input]) }
    }
  }

  private static func accumulate(_ gradient: Tensor, _ sum: inout Tensor?) {
    if sum == nil { sum = gradient } else { sum!.add(gradient) }
  }
}
