import Autograd
import NN
import Tensor
import Testing

@Suite struct `blocks of a pass` {
  /// Two blocks with batch norm and dropout over a trained input; the results of one pass, by name.
  private func run(recomputes: Bool, frozen: Bool = false) throws -> (bits: [String: [Float]], leaves: Int) {
    let store = ParameterStore(seed: 3)
    let first = try Linear(store.root["first"], in: 6, out: 6)
    let norm = try BatchNorm(store.root["norm"], channels: 6)
    let second = try Linear(store.root["second"], in: 6, out: 6)
    if frozen { (first.weight.trainable, first.bias!.trainable) = (false, false) }
    var random = RandomStream(seed: 9)
    let pass = Pass(training: true, random: RandomStream(seed: 4))
    pass.recomputes = recomputes
    let input = pass.leaf(Tensor(normal: 1, shape: [5, 6], random: &random))
    var x = pass.block(input) { x, pass in x + dropout(norm(first(x, pass), pass), rate: 0.4, pass) }
    x = pass.block(x) { x, pass in dropPath(gelu(second(x, pass)), rate: 0.3, pass) }
    x = dropout(x, rate: 0.5, pass)
    var bits = ["output": x.value.floats()]
    for report in pass.statistics { bits["mean"] = report.mean.floats() }
    let entries = pass.tape!.count
    pass.tape!.backward(from: sum(x)) { index, gradient in
      bits[pass.owner(of: index)?.name ?? "input"] = gradient.floats()
    }
    return (bits, entries)
  }

  @Test(arguments: [false, true]) func `computed again give the same bits`(frozen: Bool) throws {
    let plain = try run(recomputes: false, frozen: frozen)
    let again = try run(recomputes: true, frozen: frozen)
    #expect(again.bits == plain.bits)
    #expect(plain.bits.count == (frozen ? 7 : 9))
    #expect(again.leaves < plain.leaves)
  }

  @Test func `a frozen norm keeps its running statistics and uses them`() throws {
    let store = ParameterStore(seed: 3)
    let norm = try BatchNorm(store.root, channels: 2)
    for parameter in store.parameters { parameter.trainable = false }
    let pass = Pass(training: true)
    let x = Variable(Tensor([5, 1, 9, 2], shape: [2, 2]))
    #expect(norm(x, pass).value.floats() == norm(x, Pass(training: false)).value.floats())
    #expect(pass.statistics.isEmpty)
  }
}
