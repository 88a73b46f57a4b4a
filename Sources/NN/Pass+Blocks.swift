public import Autograd
import Tensor

extension Pass {
  /// Runs one block of a network. With `recomputes`, nothing of its inside is kept for backward: only its input, from
  /// which backward runs the block again, with the same chance. The bits are those of a plain call.
  ///
  ///     for layer in layers { x = pass.block(x) { layer($0, $1) } }
  ///
  /// - Parameter body: the block; it may capture layers and constants, but no other variable that needs a gradient.
  /// - Cost: a second forward pass of the block, for the memory of everything inside.
  /// - Source: Chen et al. 2016, "Training deep nets with sublinear memory cost", arXiv:1604.06174.
  public func block(_ x: Variable, _ body: @escaping (Variable, Pass) -> Variable) -> Variable {
    guard recomputes, tape != nil else { return body(x, self) }
    let start = random
    let quiet = inner(recording: false, random: start)
    let value = body(x.detached, quiet).value
    random = quiet.random
    for report in quiet.statistics { self.report(report) }
    let used = quiet.touched
    return Tape.record(value, [x] + used.map { self[$0] }) { [self] gradient in
      let again = inner(recording: true, random: start)
      let input = x.needsGradient ? again.leaf(x.value) : Variable(x.value)
      var (own, gradients): (Tensor?, [ObjectIdentifier: Tensor]) = (nil, [:])
      let output = body(input, again)
      if output.needsGradient {
        again.tape!.backward(from: output, gradient: gradient) { index, gradient in
          if index == input.index {
            own = gradient
          } else if let owner = again.owner(of: index) {
            gradients[ObjectIdentifier(owner)] = gradient
          }
        }
      }
      return [own] + used.map { gradients[ObjectIdentifier($0)] }
    }
  }

  private func inner(recording: Bool, random: RandomStream) -> Pass {
    let pass = Pass(training: training, recording: recording, random: random)
    (pass.dropout, pass.dropPath, pass.keepsStatistics) = (dropout, dropPath, keepsStatistics)
    return pass
  }
}
