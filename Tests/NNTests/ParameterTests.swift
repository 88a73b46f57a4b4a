import Autograd
import NN
import Tensor
import TestSupport
import Testing

@Suite struct `parameters` {
  private struct Net {
    let first, second: Linear
    let norm: LayerNorm
    init(_ scope: ParameterScope) throws {
      first = try Linear(scope["blocks", 0, "fc1"], in: 3, out: 4)
      norm = try LayerNorm(scope["norm"], 4, eps: 1e-6)
      second = try Linear(scope["head"], in: 4, out: 2)
    }
    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      second(dropout(norm(relu(first(x, pass)), pass), rate: 0.5, pass), pass)
    }
  }

  private func make(checkpoint: [String: Tensor]? = nil, fresh: [String] = []) throws -> (ParameterStore, Net) {
    let store = ParameterStore(seed: 5, checkpoint: checkpoint, fresh: fresh)
    let net = try Net(store.root)
    try store.finish()
    return (store, net)
  }

  @Test func `are named by their paths in creation order and begin alike for a seed`() throws {
    let (store, _) = try make()
    #expect(
      store.parameters.map(\.name) == [
        "blocks.0.fc1.weight", "blocks.0.fc1.bias", "norm.weight", "norm.bias", "head.weight", "head.bias",
      ])
    #expect(store.parameterCount == 12 + 4 + 8 + 8 + 2)
    let (again, _) = try make()
    for (a, b) in zip(store.parameters, again.parameters) { #expect(a.value.floats() == b.value.floats()) }
  }

  @Test func `a checkpoint that does not fit names the key`() throws {
    let (store, _) = try make()
    var state = store.state
    let loaded = try make(checkpoint: state).0
    #expect(loaded.parameters[0].value.floats() == store.parameters[0].value.floats())

    state["extra"] = Tensor(0)
    #expect { try make(checkpoint: state) } throws: { ($0 as? CheckpointError)?.name == "extra" }
    #expect { try store.load(state) } throws: { ($0 as? CheckpointError)?.code == .unused }
    state["extra"] = nil
    state["head.bias"] = Tensor(zeros: [3])
    #expect { try make(checkpoint: state) } throws: { "\($0)".contains("head.bias") && "\($0)".contains("[3]") }
    #expect(try make(checkpoint: state, fresh: ["head."]).0.parameter(named: "head.bias")?.value.shape == [2])
    state["head.bias"] = nil
    #expect { try store.load(state) } throws: { ($0 as? CheckpointError)?.code == .missing }
  }

  @Test func `half-precision checkpoints become float32`() throws {
    let (store, _) = try make()
    let half = store.state.mapValues { $0.converted(to: .bfloat16) }
    let loaded = try make(checkpoint: half).0
    #expect(loaded.parameters.allSatisfy { $0.value.dtype == .float32 })
  }

  @Test func `a pass gives every trainable parameter its gradient once`() throws {
    let (store, net) = try make()
    store.parameter(named: "norm.bias")!.trainable = false
    let pass = Pass(training: true, random: RandomStream(seed: 1))
    var names: [String] = []
    let x = Variable(testValues([5, 3]))
    pass.backward(from: mean(square(net(x, pass)))) { parameter, gradient in
      #expect(gradient.shape == parameter.value.shape)
      names.append(parameter.name)
    }
    #expect(Set(names) == Set(store.parameters.map(\.name)).subtracting(["norm.bias"]) && names.count == 5)
    // Last layers first, so that sums over workers can begin early.
    #expect(names.first?.hasPrefix("head") == true)
    let quiet = Pass(training: false)
    #expect(quiet.tape == nil && net(x, quiet).value.floats() == net(x, Pass(training: false)).value.floats())
  }

  @Test func `reported statistics move the running ones once applied`() throws {
    let store = ParameterStore(seed: 0)
    let norm = try BatchNorm(store.root["bn"], channels: 2, momentum: 0.1)
    let pass = Pass(training: true)
    _ = norm(Variable(Tensor([1, 10, 3, 20], shape: [2, 2])), pass)
    #expect(norm.runningMean.value.floats() == [0, 0])
    store.apply(pass.statistics)
    #expect(relativeL2(norm.runningMean.value.floats(), [0.2, 1.5]) < 1e-6)
    #expect(relativeL2(norm.runningVariance.value.floats(), [0.9 + 0.2, 0.9 + 5]) < 1e-6)
    #expect(store.buffer(named: "bn.num_batches_tracked")?.value.scalar == 1)
  }

  @Test func `the same name twice traps`() async {
    await #expect(processExitsWith: .failure) {
      let store = ParameterStore(seed: 0)
      _ = try Linear(store.root["a"], in: 1, out: 1)
      _ = try Linear(store.root["a"], in: 1, out: 1)
    }
  }
}
