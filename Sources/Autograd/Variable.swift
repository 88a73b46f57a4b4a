public import Tensor

/// A tensor that may take part in differentiation: a leaf or a result on a tape, or a constant.
public struct Variable {
  /// The tensor itself.
  public let value: Tensor
  let slot: (tape: Tape, index: Int)?
  /// Makes `value` once more, the same bits, from what its operation keeps anyway: for those that would keep it for
  /// backward. Nil where keeping it is cheaper.
  let again: (() -> Tensor)?

  /// A constant: no gradient flows to it.
  public init(_ constant: Tensor) {
    value = constant
    (slot, again) = (nil, nil)
  }

  init(_ value: Tensor, _ tape: Tape, _ index: Int, again: (() -> Tensor)? = nil) {
    (self.value, self.again) = (value, again)
    slot = (tape, index)
  }

  /// Length of each axis.
  public var shape: [Int] { value.shape }

  /// Whether a pullback has to compute this input's gradient.
  public var needsGradient: Bool { slot != nil }

  /// Place on the tape; what `Tape.backward` names leaves by. Nil for a constant.
  public var index: Int? { slot?.index }

  /// The same value as a constant.
  public var detached: Variable { Variable(value) }
}
