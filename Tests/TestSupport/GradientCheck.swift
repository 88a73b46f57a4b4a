public import Autograd
public import Tensor
public import Testing

/// ‖a − b‖ / ‖b‖ over all elements, in float64; the plain norm of a where b is 0.
public func relativeL2(_ a: [Float], _ b: [Float]) -> Double {
  precondition(a.count == b.count, "relativeL2: \(a.count) and \(b.count) values")
  var difference = 0.0
  var norm = 0.0
  for (x, y) in zip(a, b) where x != y {
    difference += (Double(x) - Double(y)) * (Double(x) - Double(y))
  }
  for y in b where y.isFinite { norm += Double(y) * Double(y) }
  return norm == 0 ? difference.squareRoot() : (difference / norm).squareRoot()
}

/// Expects `actual` to have the shape of `expected` and to be within `tolerance` of it in relative L2.
public func expectClose(
  _ actual: Tensor, _ expected: Tensor, tolerance: Double, _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.shape == expected.shape else {
    Issue.record("\(what): shape \(actual.shape), expected \(expected.shape)", sourceLocation: sourceLocation)
    return
  }
  let error = relativeL2(actual.floats(), expected.floats())
  #expect(error <= tolerance, "\(what): relative L2 error \(error)", sourceLocation: sourceLocation)
}

/// Smooth values without any regularity, the same every time: −1 to 1, none nearer to 0 than 0.02.
public func testValues(_ shape: [Int], _ salt: Int = 0) -> Tensor {
  var stream = RandomStream(seed: 42, "test", salt)
  let values = (0..<shape.reduce(1, *)).map { _ -> Float in
    let x = stream.uniform(-0.98..<0.98)
    return Float(x < 0 ? x - 0.02 : x + 0.02)
  }
  return Tensor(values, shape: shape)
}

/// Compares every gradient of `body` with central differences of Σ output · cotangent.
///
/// The default tolerance, relative L2 over each input's gradient: float32 outputs at step 1e-2 leave about 1e-3.
public func expectGradientsMatchDifferences(
  _ inputs: [Tensor], step: Float = 1e-2, tolerance: Double = 5e-3, formats: [MemoryFormat] = [.contiguous],
  sourceLocation: SourceLocation = #_sourceLocation, _ body: ([Variable]) -> Variable
) {
  for format in formats {
    let inputs = inputs.map { $0.inFormat(format) }
    let tape = Tape()
    let leaves = inputs.map(tape.leaf)
    let output = body(leaves)
    let cotangent = testValues(output.shape, 99)
    let weights = cotangent.floats().map(Double.init)
    var gradients: [Int: Tensor] = [:]
    tape.backward(from: output, gradient: cotangent) { gradients[$0] = $1 }
    func objective(_ inputs: [Tensor]) -> Double {
      zip(body(inputs.map { Variable($0) }).value.floats(), weights).reduce(0) { $0 + Double($1.0) * $1.1 }
    }
    for (which, input) in inputs.enumerated() {
      let values = input.floats()
      let differences = values.indices.map { i -> Float in
        func moved(_ by: Float) -> Double {
          var values = values
          values[i] += by
          var changed = inputs
          changed[which] = Tensor(values, shape: input.shape).inFormat(format)
          return objective(changed)
        }
        return Float((moved(step) - moved(-step)) / (2 * Double(step)))
      }
      guard let gradient = gradients[leaves[which].index!] else {
        Issue.record("input \(which) got no gradient", sourceLocation: sourceLocation)
        continue
      }
      #expect(gradient.shape == input.shape, "input \(which)", sourceLocation: sourceLocation)
      let error = relativeL2(gradient.floats(), differences)
      #expect(
        error <= tolerance, "input \(which), \(format): relative L2 error \(error)", sourceLocation: sourceLocation)
    }
  }
}
