import Autograd
import NN
import Tensor

extension Architecture {
  /// Bytes that one view keeps from the forward pass until backward, at the usual input: measured, on empty views and
  /// weights of zero.
  ///
  /// - Throws: what `build` throws.
  /// - Cost: one forward pass of two views; seconds for the largest networks.
  public func activationBytesPerView() throws -> Int {
    let outline = ParameterStore.outline()
    _ = try build(outline.root, preprocessing)
    let tensors =
      outline.parameters.map { ($0.name, $0.value.shape) } + outline.buffers.map { ($0.name, $0.value.shape) }
    let zeros = Dictionary(uniqueKeysWithValues: tensors.map { ($0.0, Tensor(zeros: $0.1)) })
    let network = try build(ParameterStore(seed: 0, checkpoint: zeros).root, preprocessing)

    // Two, so that statistics over a batch have something to go by.
    let views = 2
    let part = preprocessing.partShape
    let pass = Pass(training: true)
    let counted = TensorMemory.counting {
      let input = Tensor(zeros: [views] + part, format: part.count >= 3 ? .channelsLast : .contiguous)
      return network.logits(Variable(input), pass)
    }
    return withExtendedLifetime(pass) { max(0, counted.left) / views }
  }
}
