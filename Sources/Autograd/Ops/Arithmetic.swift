import Tensor

// Element-wise arithmetic; shapes broadcast as in NumPy. Results keep the memory order of the operand that fills them.

/// `a + b`
public func add(_ a: Variable, _ b: Variable) -> Variable {
  Tape.record(a.value.combined(.add, b.value), [a, b]) {
    [sa = a.shape, sb = b.shape, a = a.needsGradient, b = b.needsGradient] g in
    [a ? g.summed(to: sa) : nil, b ? g.summed(to: sb) : nil]
  }
}

/// `a - b`
public func subtract(_ a: Variable, _ b: Variable) -> Variable {
  Tape.record(a.value.combined(.subtract, b.value), [a, b]) {
    [sa = a.shape, sb = b.shape, a = a.needsGradient, b = b.needsGradient] g in
    [a ? g.summed(to: sa) : nil, b ? g.summed(to: sb).map(.negate) : nil]
  }
}

/// `a · b`
public func multiply(_ a: Variable, _ b: Variable) -> Variable {
  let x = a.needsGradient ? b.value : nil
  let z = b.needsGradient ? a.value : nil
  return Tape.record(a.value.combined(.multiply, b.value), [a, b]) { [sa = a.shape, sb = b.shape] g in
    [x.map { g.combined(.multiply, $0).summed(to: sa) }, z.map { g.combined(.multiply, $0).summed(to: sb) }]
  }
}

/// `a / b`
public func divide(_ a: Variable, _ b: Variable) -> Variable {
  multiply(a, map(b, .reciprocal))
}

/// `scale · x + offset`
public func affine(_ x: Variable, _ scale: Float, _ offset: Float = 0) -> Variable {
  Tape.record(x.value.affine(scale, offset), [x]) { g in [scale == 1 ? g : g.affine(scale, 0)] }
}

/// Each element held within `range`; the gradient outside is 0.
public func clamp(_ x: Variable, _ range: ClosedRange<Float>) -> Variable {
  let v = x.value
  return Tape.record(v.clamped(range), [x]) { g in [v.clampGradient(g, range)] }
}

extension Variable {
  /// `a + b`
  public static func + (a: Variable, b: Variable) -> Variable { add(a, b) }
  /// `a - b`
  public static func - (a: Variable, b: Variable) -> Variable { subtract(a, b) }
  /// `a · b`, element by element
  public static func * (a: Variable, b: Variable) -> Variable { multiply(a, b) }
  /// `a / b`, element by element
  public static func / (a: Variable, b: Variable) -> Variable { divide(a, b) }
  /// `a · b`
  public static func * (a: Variable, b: Float) -> Variable { affine(a, b) }
  /// `a · b`
  public static func * (a: Float, b: Variable) -> Variable { affine(b, a) }
  /// `a + b`
  public static func + (a: Variable, b: Float) -> Variable { affine(a, 1, b) }
  /// `-a`
  public static prefix func - (a: Variable) -> Variable { affine(a, -1) }
}
