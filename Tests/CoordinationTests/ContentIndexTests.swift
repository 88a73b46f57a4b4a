import Testing
import Wire

@testable import Coordination

@Suite struct `the index of contents` {
  @Test func `names those who are there, another one first each time`() {
    var index = ContentIndex()
    for worker in 1...4 as ClosedRange<UInt64> { index.add("a", worker) { _ in true } }
    index.add("a", 2) { _ in true }
    #expect(index.holders(of: "a") { _ in true } == [1, 2, 3, 4])
    let firsts = (0..<4).map { _ in index.choose(3, of: "a") { _ in true }[0] }
    #expect(Set(firsts) == [1, 2, 3, 4])
    for _ in 0..<8 {
      let chosen = index.choose(3, of: "a") { $0 != 2 }
      #expect(chosen.count == 3 && Set(chosen) == [1, 3, 4])
    }
    #expect(index.choose(3, of: "b") { _ in true }.isEmpty)
    index.remove("a", 3)
    #expect(index.holders(of: "a") { _ in true } == [1, 2, 4])
  }

  @Test func `keeps few for each content, and those that are gone make room`() {
    var index = ContentIndex()
    for worker in 1...100 as ClosedRange<UInt64> { index.add("a", worker) { _ in true } }
    #expect(index.holders(of: "a") { _ in true } == Array(1...8))
    index.add("a", 100) { $0 > 6 }
    #expect(index.holders(of: "a") { _ in true } == [7, 8, 100])
  }
}
