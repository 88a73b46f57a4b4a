import Foundation
import Tensor
import TestSupport
import Testing

@Suite struct `storage` {
  @Test func `is aligned to 64 bytes whatever its size`() {
    for count in [0, 1, 15, 16, 17, 63, 1000, 4097, 100_000] {
      Tensor([count]) { #expect(Int(bitPattern: $0.baseAddress) % 64 == 0) }.withFloats { #expect($0.count == count) }
    }
  }

  @Test func `a block is not given out again while a tensor lives`() async {
    // Threads make, keep, check and drop tensors of sizes that share classes of the pool.
    await withTaskGroup(of: Bool.self) { group in
      for worker in 0..<4 {
        group.addTask {
          var random = RandomStream(seed: 9, worker)
          var kept: [(tensor: Tensor, value: Float)] = []
          for step in 0..<2000 {
            let value = Float(worker * 10_000 + step)
            kept.append((Tensor(full: value, shape: [1 + random.below(300)]), value))
            if kept.count > 20 {
              let (tensor, value) = kept.remove(at: random.below(kept.count))
              if !tensor.floats().allSatisfy({ $0 == value }) { return false }
            }
          }
          return kept.allSatisfy { tensor, value in tensor.floats().allSatisfy { $0 == value } }
        }
      }
      for await sound in group { #expect(sound) }
    }
  }

  @Test func `adding changes a tensor's own memory, and nobody else's`() {
    let ones = Tensor(full: 1, shape: [3, 4])
    var alone = Tensor(full: 2, shape: [3, 4])
    let place = alone.withFloats { $0.baseAddress }
    alone.add(ones)
    #expect(alone.floats() == [Float](repeating: 3, count: 12))
    #expect(alone.withFloats { $0.baseAddress } == place)
    let other = alone
    alone.add(ones)
    #expect(alone.floats() == [Float](repeating: 4, count: 12) && other.floats() == [Float](repeating: 3, count: 12))
    let row = other.sliced(axis: 0, 1..<2)
    var view = row
    view.add(Tensor(full: 5, shape: [1, 4]))
    #expect(view.floats() == [8, 8, 8, 8] && row.floats() == [3, 3, 3, 3] && other.floats().allSatisfy { $0 == 3 })
    var turned = Tensor(full: 1, shape: [2, 3, 4]).transposed(0, 2)
    turned.add(Tensor(full: 2, shape: [4, 3, 2]))
    #expect(turned.floats().allSatisfy { $0 == 3 })
  }

  @Test(arguments: [([2, 16, 16, 16], 1), ([1, 33, 17, 5], 2), ([3, 100, 1, 31], 1), ([1, 40, 24, 24], 2)])
  func `changing the memory order there and back gives the same tensor`(_ shape: [Int], _ threads: Int) {
    let x = testValues(shape)
    ComputeThreads.with(threads) {
      let y = x.channelsLast()
      #expect(y.layout.isChannelsLast && y.contiguous().floats() == x.floats())
      let v = x.floats()
      y.withFloats { y in
        let (C, S) = (shape[1], shape[2] * shape[3])
        for n in 0..<shape[0] {
          for s in 0..<S { for c in 0..<C { #expect(y[(n * S + s) * C + c] == v[(n * C + c) * S + s]) } }
        }
      }
    }
  }

  @Test func `counts what one thread takes, whatever others do`() {
    let kept = TensorMemory.counting {
      let first = Tensor(zeros: [1024])
      return [first].map { _ in Tensor(zeros: [256]) }
    }
    #expect(kept.left == 1024 && kept.most >= 4096 + 1024)
    let other = Thread { _ = Tensor(zeros: [4096]) }
    let none = TensorMemory.counting {
      other.start()
      while !other.isFinished { usleep(1000) }
    }
    #expect(none.left == 0 && none.most == 0)
    withExtendedLifetime(kept) { TensorMemory.releaseIdle() }
    #expect(Tensor(full: 3, shape: [256]).floats().allSatisfy { $0 == 3 })
  }
}
