import Foundation
import Media
import Testing

@testable import Datasets

@Suite struct `near duplicates` {
  @Test func `of pictures are found at another size, in other folds`() throws {
    let folder = try TemporaryFolder()
    // Soft random textures, no two alike; the last is the first again at three times the size.
    func picture(_ seed: UInt64, side: Int) -> [UInt8] {
      var random = KeyedRandom(seed: seed, purpose: "texture")
      let knots = (0..<49).map { _ in random.unit() }
      var pixels: [UInt8] = []
      for y in 0..<side {
        for x in 0..<side {
          let (u, v) = (6 * Double(x) / Double(side), 6 * Double(y) / Double(side))
          let (i, j) = (Int(u), Int(v))
          let (a, b) = (u - Double(i), v - Double(j))
          let top = knots[7 * j + i] * (1 - a) + knots[7 * j + i + 1] * a
          let bottom = knots[7 * j + 7 + i] * (1 - a) + knots[7 * j + 8 + i] * a
          let value = UInt8(255 * (top * (1 - b) + bottom * b))
          pixels += [value, value, value]
        }
      }
      return ImagePixels(width: side, height: side, pixels: pixels).png()
    }
    var text = "path,label\n"
    for index in 0..<20 {
      let png = index == 19 ? picture(0, side: 150) : picture(UInt64(index), side: 50)
      try Data(png).write(to: folder.url.appendingPathComponent("\(index).png"))
      text += "\(index).png,\(index % 2 == 0 ? "real" : "fake")\n"
    }
    let source = DataSource(name: "d", path: try folder.write("manifest.csv", text).path)
    let roots = try DataRoots([source])
    let data = try Dataset(reading: source).scanned(roots)
    let found = NearDuplicates(data, roots, groups: try SampleGroups(data, rule: "auto"))
    #expect(found.hashed == 20 && found.pairs.map { [$0.first, $0.second] } == [[0, 19]])
    let plan = FoldPlan(
      settings: FoldSettings(), groups: try SampleGroups(data, rule: "auto"), testFold: [],
      parts: [(0..<20).map { $0 == 0 ? .train : $0 == 19 ? .test : .unused }])
    #expect(found.crossing(plan).map(\.fold) == [0])
  }

  @Test func `are the pairs that comparing all finds`() throws {
    var random = KeyedRandom(seed: 3, purpose: "test")
    var items: [(position: Int, hash: UInt128)] = []
    for index in 0..<400 {
      var hash = UInt128(random.next()) << 64 | UInt128(random.next())
      if index % 4 == 1 {  // near the one before: up to 12 bits away
        hash = items[index - 1].hash
        for _ in 0..<random.below(13) { hash ^= UInt128(1) << UInt128(random.below(128)) }
      }
      items.append((index, hash))
    }
    let groups = SampleGroups(indices: Array(0..<400), names: (0..<400).map { "\($0)" })
    var expected: Set<[Int]> = []
    for a in 0..<400 {
      for b in 0..<a where (items[a].hash ^ items[b].hash).nonzeroBitCount <= 8 {
        expected.insert([b, a, (items[a].hash ^ items[b].hash).nonzeroBitCount])
      }
    }
    let found = NearDuplicates.near(items, bits: 128, reach: 8, groups).map { [$0.first, $0.second, $0.distance] }
    #expect(Set(found) == expected && found.count == expected.count && expected.count > 40)
  }
}
