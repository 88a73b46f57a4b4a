import Autograd
import NN
import Tensor
import TestSupport
import Testing

@Suite struct `convolution layers` {
  @Test func `have the names and shapes of checkpoints`() throws {
    let store = ParameterStore(seed: 1)
    _ = try Conv1d(store.root["a"], in: 4, out: 6, kernel: 3, groups: 2)
    _ = try Conv2d(store.root["b"], in: 4, out: 6, kernel: [3, 5], bias: false)
    _ = try Conv3d(store.root["c"], in: 2, out: 3, kernel: 1)
    _ = try BatchNorm(store.root["d"], channels: 6)
    _ = try BatchNorm(store.root["e"], channels: 6, affine: false)
    _ = try WeightNormConvolution(store.root["f"], channels: 8, kernel: 4, padding: 2, groups: 4)
    #expect(
      store.parameters.map { "\($0.name) \($0.value.shape)" } == [
        "a.weight [6, 2, 3]", "a.bias [6]", "b.weight [6, 4, 3, 5]", "c.weight [3, 2, 1, 1, 1]", "c.bias [3]",
        "d.weight [6]", "d.bias [6]", "f.bias [8]", "f.parametrizations.weight.original0 [1, 1, 4]",
        "f.parametrizations.weight.original1 [8, 2, 4]",
      ])
    #expect(
      store.buffers.map(\.name)
        == ["d", "e"].flatMap { layer in
          ["running_mean", "running_var", "num_batches_tracked"].map { "\(layer).\($0)" }
        })
  }

  @Test func `begin within one over the root of the fan`() throws {
    let store = ParameterStore(seed: 1)
    let layer = try Conv2d(store.root, in: 4, out: 32, kernel: 3)
    let bound: Float = 1 / 6  // 4·3·3 inputs
    for parameter in [layer.weight, layer.bias!] {
      let values = parameter.value.floats()
      #expect(values.allSatisfy { Swift.abs($0) <= bound })
      #expect(values.contains { Swift.abs($0) > bound / 2 })
    }
  }

  @Test func `gradients reach every parameter, and the input only if it is wanted`() throws {
    let store = ParameterStore(seed: 1)
    let convolution = try Conv2d(store.root["conv"], in: 3, out: 8, kernel: 3, padding: 1)
    let norm = try BatchNorm(store.root["norm"], channels: 8)
    let pass = Pass(training: true)
    let y = norm(convolution(Variable(testValues([2, 3, 6, 8])), pass), pass, then: .reluMaxPool2)
    #expect(y.shape == [2, 8, 3, 4])
    var names: [String] = []
    pass.backward(from: y, gradient: testValues(y.shape, 1)) { parameter, gradient in
      names.append(parameter.name)
      #expect(gradient.shape == parameter.value.shape)
    }
    #expect(Set(names) == ["conv.weight", "conv.bias", "norm.weight", "norm.bias"])
  }

  @Test func `batch norm reports a batch and changes its running statistics only when told`() throws {
    let store = ParameterStore(seed: 1)
    let norm = try BatchNorm(store.root["n"], channels: 2, momentum: 0.25)
    let input = Tensor([1, 2, 10, 20, 3, 4, 30, 40], shape: [2, 2, 2])  // channels 1 2 3 4 and 10 20 30 40
    let pass = Pass(training: true)
    let y = norm(Variable(input), pass)
    #expect(norm.runningMean.value.floats() == [0, 0])
    #expect(pass.statistics.map(\.path) == ["n"] && pass.statistics.map(\.count) == [4])
    expectClose(pass.statistics[0].mean, Tensor([2.5, 25], shape: [2]), tolerance: 1e-6)
    expectClose(pass.statistics[0].variance, Tensor([5.0 / 3, 500.0 / 3], shape: [2]), tolerance: 1e-6)
    #expect(Swift.abs(y.value.sum()) < 1e-5)
    store.apply(pass.statistics)
    expectClose(norm.runningMean.value, Tensor([0.625, 6.25], shape: [2]), tolerance: 1e-6)
    expectClose(
      norm.runningVariance.value, Tensor([0.75 + 1.25 / 3, 0.75 + 125.0 / 3], shape: [2]), tolerance: 1e-6)
    #expect(store.buffer(named: "n.num_batches_tracked")!.value.scalar == 1)
    let inference = norm(Variable(input), Pass(training: false))
    let expected = (1 - 0.625) / (0.75 + 1.25 / 3 + 1e-5).squareRoot()
    #expect(Swift.abs(Double(inference.value.floats()[0]) - expected) < 1e-5)
  }
}
