import Tensor
import TestSupport
import Testing

@Suite struct `layout` {
  @Test func `channels-last keeps logical order and is dense`() {
    let x = Tensor((0..<120).map(Float.init), shape: [2, 3, 4, 5])
    let y = x.channelsLast()
    #expect(y.layout.isChannelsLast && y.layout.isDense && !y.layout.isContiguous)
    #expect(y.floats() == x.floats())
    #expect(y.withFloats { $0[1] } == 20)
    #expect(y.permuted([0, 2, 3, 1]).layout.isContiguous)
  }

  @Test func `views read the same elements as a naive loop`() {
    let x = Tensor((0..<60).map(Float.init), shape: [3, 4, 5])
    let view = x.permuted([2, 0, 1]).sliced(axis: 0, 1..<4).sliced(axis: 2, 2..<4)
    var expected: [Float] = []
    for c in 1..<4 { for a in 0..<3 { for b in 2..<4 { expected.append(Float(a * 20 + b * 5 + c)) } } }
    #expect(view.shape == [3, 3, 2])
    #expect(view.floats() == expected)
    #expect(view.channelsLast().floats() == expected)
    #expect(view.reshaped([9, 2]).floats() == expected)
  }

  @Test func `reshaping a view copies only where it must`() {
    let x = Tensor((0..<24).map(Float.init), shape: [2, 3, 4])
    #expect(x.layout.sliced(axis: 0, 0..<1).reshaped(to: [12]) != nil)
    #expect(x.layout.sliced(axis: 2, 0..<2).reshaped(to: [6, 2]) != nil)
    #expect(x.layout.sliced(axis: 2, 0..<2).reshaped(to: [12]) == nil)
    #expect(x.transposed(0, 1).layout.reshaped(to: [3, 2, 2, 2]) != nil)
    #expect(x.transposed(0, 1).reshaped([6, 4]).floats() == x.transposed(0, 1).floats())
    #expect(x.sliced(axis: 2, 0..<2).reshaped([3, -1]).floats() == x.sliced(axis: 2, 0..<2).floats())
  }

  @Test(arguments: [[], [0], [1], [7], [1, 1, 3], [3, 1, 1, 2]]) func `odd shapes survive every copy`(_ shape: [Int]) {
    let x = testValues(shape)
    #expect(x.channelsLast().contiguous().floats() == x.floats())
    #expect(x.reshaped([-1]).floats() == x.floats())
    #expect(x.map(.relu).floats() == x.floats().map { max($0, 0) })
  }

  @Test func `random views read what index arithmetic says, and reshape alike`() {
    var random = RandomStream(seed: 5)
    for _ in 0..<300 {
      let shape = (0..<1 + random.below(5)).map { _ in 1 + random.below(5) }
      let base = testValues(shape).inFormat(random.chance(0.5) ? .contiguous : .channelsLast)
      let order = random.permutation(shape.count)
      var view = base.permuted(order)
      var starts = [Int](repeating: 0, count: shape.count)
      for axis in shape.indices where random.chance(0.4) {
        starts[axis] = random.below(view.shape[axis])
        view = view.sliced(axis: axis, starts[axis]..<starts[axis] + 1 + random.below(view.shape[axis] - starts[axis]))
      }
      let values = base.floats()
      let steps = Layout.strides(of: shape, .contiguous)
      let expected = (0..<view.count).map { flat -> Float in
        var (rest, at) = (flat, 0)
        for axis in view.shape.indices.reversed() {
          at += (rest % view.shape[axis] + starts[axis]) * steps[order[axis]]
          rest /= view.shape[axis]
        }
        return values[at]
      }
      #expect(view.floats() == expected)
      #expect(view.channelsLast().floats() == expected)
      // Two neighbouring axes merged, one split, all in any order of the view.
      var merged = view.shape
      if merged.count > 1 {
        let axis = random.below(merged.count - 1)
        merged[axis] *= merged.remove(at: axis + 1)
      }
      if let even = merged.firstIndex(where: { $0 % 2 == 0 }) {
        merged[even] /= 2
        merged.insert(2, at: random.chance(0.5) ? even : even + 1)
      }
      #expect(view.reshaped(merged).floats() == expected, "\(view.layout) to \(merged)")
    }
  }

  @Test func `broadcasting follows NumPy`() {
    let a = testValues([2, 1, 3], 1)
    let b = testValues([4, 1], 2)
    let sum = a.combined(.add, b)
    #expect(sum.shape == [2, 4, 3])
    let (x, y) = (a.floats(), b.floats())
    var expected: [Float] = []
    for i in 0..<2 { for j in 0..<4 { for k in 0..<3 { expected.append(x[i * 3 + k] + y[j]) } } }
    #expect(sum.floats() == expected)
    #expect(sum.summed(to: [4, 1]).shape == [4, 1])
  }

  @Test func `a reshape that loses elements traps`() async {
    await #expect(processExitsWith: .failure) { _ = Tensor(zeros: [2, 3]).reshaped([4]) }
  }
}
