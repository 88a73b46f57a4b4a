import Files
import Foundation
import Testing

@testable import Datasets

@Suite struct `fold protocols` {
  /// `kinds[k]` fakes of type `t<k>` for each of `people`, and one real sample each, all of one identity.
  private func people(_ count: Int, kinds: Int, dataset: String = "d") -> [Sample] {
    (0..<count).flatMap { person in
      (0...kinds).map { kind in
        var sample = Sample(id: "\(person)-\(kind).wav", dataset: dataset, label: kind == 0 ? .real : .fake)
        sample.type = kind == 0 ? "" : "t\(kind)"
        sample.identity = "p\(person)"
        return sample
      }
    }
  }

  @Test func `k folds keep the bytes that they always had`() throws {
    let data = Dataset(
      samples: (0..<120).map { index in
        var sample = Sample(id: "s\(index).wav", dataset: "d", label: index % 3 == 0 ? .real : .fake)
        sample.type = index % 3 == 0 ? "" : "t\(index % 2)"
        sample.identity = "p\(index / 4)"
        return sample
      })
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("folds.csv")
    try FoldTable.write(FoldPlan(data, FoldSettings(count: 4), seed: 11), of: data, to: url)
    // From the version before there were protocols.
    #expect(try sha256(of: url) == "ff17c6e8691bd26b553570a91514b6266d87114038bb980c64a936a69b17af8a")
  }

  @Test func `leave one type out trains on no fake of the tested kind and divides no person`() throws {
    let data = Dataset(samples: people(30, kinds: 3))
    let plan = try FoldPlan(data, FoldSettings(protocol: .leaveOneTypeOut), seed: 3)
    #expect(plan.names == ["t1", "t2", "t3"] && plan.count == 3)
    for (fold, name) in plan.names.enumerated() {
      let tested = plan.indices(.test, fold: fold).map { data.samples[$0] }
      #expect(Set(tested.map(\.type)) == ["", name])
      #expect(tested.count { $0.label == .real } == 10 && tested.count { $0.label == .fake } == 10)
      for part in [Part.train, .validation] {
        #expect(
          Set(plan.indices(part, fold: fold).map { data.samples[$0].type })
            == Set(["", "t1", "t2", "t3"]).subtracting([name]))
      }
    }
    #expect(LeakReport(plan, of: data).isClean)
    // Each real sample is tested by one fold.
    let reals = data.samples.indices.filter { data.samples[$0].label == .real }
    #expect(reals.allSatisfy { index in (0..<3).count { plan.parts[$0][index] == .test } == 1 })
  }

  @Test func `kinds that share nobody with others are tested whole`() throws {
    var data = Dataset(samples: people(12, kinds: 0))
    for kind in ["a", "b"] {
      for index in 0..<10 {
        var sample = Sample(id: "\(kind)\(index).wav", dataset: "d", label: .fake)
        sample.type = kind
        data.samples.append(sample)
      }
    }
    let plan = try FoldPlan(data, FoldSettings(protocol: try FoldProtocol(name: "leave-one-method-out")), seed: 3)
    #expect(plan.indices(.test, fold: 0).count { data.samples[$0].type == "a" } == 10)
    #expect(plan.parts[0].allSatisfy { $0 != .unused })
  }

  @Test func `official parts are taken as they are, and validation comes out of train where there is none`() throws {
    var data = Dataset(samples: people(30, kinds: 1))
    for index in data.samples.indices { data.samples[index].split = index < 40 ? "train" : index < 58 ? "test" : nil }
    let settings = FoldSettings(protocol: .official)
    let plan = try FoldPlan(data, settings, seed: 3)
    #expect(plan.count == 1 && plan.names == ["official"])
    #expect(plan.indices(.test, fold: 0) == Array(40..<58) && plan.indices(.unused, fold: 0) == [58, 59])
    #expect(!plan.indices(.validation, fold: 0).isEmpty && LeakReport(plan, of: data).isClean)
    #expect(plan.testFold[0] == -1 && plan.testFold[40] == 0)
    for index in 30..<40 { data.samples[index].split = "dev" }
    #expect(try FoldPlan(data, settings, seed: 3).indices(.validation, fold: 0) == Array(30..<40))
    for index in data.samples.indices { data.samples[index].split = "train" }
    #expect { try FoldPlan(data, settings, seed: 3) } throws: { "\($0)".contains("no official train and test parts") }
  }

  @Test func `leave one data set out tests each set by the others`() throws {
    var first = people(10, kinds: 1, dataset: "a")
    let second = people(8, kinds: 2, dataset: "b")
    first[0].sha256 = "same"
    var data = Dataset(samples: first + second)
    data.samples[25].sha256 = "same"
    let plan = try FoldPlan(data, FoldSettings(protocol: .leaveOneDatasetOut), seed: 3)
    #expect(plan.names == ["a", "b"])
    #expect(plan.indices(.test, fold: 0) == Array(0..<20) && plan.indices(.test, fold: 1) == Array(20..<44))
    // The person of the other set that has the same file is left out.
    #expect(plan.indices(.unused, fold: 0).contains(25) && LeakReport(plan, of: data).isClean)
    let one = Dataset(samples: second)
    #expect { try FoldPlan(one, FoldSettings(protocol: .leaveOneDatasetOut), seed: 3) } throws: {
      "\($0)".contains("needs two data sets")
    }
  }

  @Test func `cross-dataset trains on each set and tests the same share of all`() throws {
    let data = Dataset(samples: people(20, kinds: 1, dataset: "a") + people(15, kinds: 1, dataset: "b"))
    let plan = try FoldPlan(data, FoldSettings(protocol: .crossDataset), seed: 3)
    #expect(plan.names == ["a", "b"])
    #expect(plan.indices(.test, fold: 0) == plan.indices(.test, fold: 1))
    #expect(Set(plan.indices(.test, fold: 0).map { data.samples[$0].dataset }) == ["a", "b"])
    #expect(Set(plan.indices(.train, fold: 1).map { data.samples[$0].dataset }) == ["b"])
    #expect(LeakReport(plan, of: data).isClean)
  }

  @Test func `repetitions divide anew, and everything goes through folds csv`() throws {
    let data = Dataset(samples: people(30, kinds: 2))
    let settings = FoldSettings(count: 3, repeats: 2)
    let plan = try FoldPlan(data, settings, seed: 3)
    #expect(plan.count == 6 && plan.repetition(of: 2) == 0 && plan.repetition(of: 3) == 1)
    #expect(Array(plan.parts[..<3]) == (try FoldPlan(data, FoldSettings(count: 3), seed: 3)).parts)
    #expect(Array(plan.parts[3...]) == (try FoldPlan(data, FoldSettings(count: 3), seed: 4)).parts)
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("folds.csv")
    for plan in [plan, try FoldPlan(data, FoldSettings(protocol: .leaveOneTypeOut), seed: 1)] {
      try FoldTable.write(plan, of: data, to: url)
      let back = try FoldTable.read(url, of: data, settings: plan.settings)
      #expect(back.parts == plan.parts && back.testFold == plan.testFold && back.names == plan.names)
    }
  }

  @Test func `a planted identity leak is found in the official parts`() throws {
    var data = Dataset(samples: people(30, kinds: 1))
    for index in data.samples.indices { data.samples[index].split = index < 40 ? "train" : "test" }
    for index in [3, 45] { data.samples[index].identity = "the same person" }
    let report = LeakReport(try FoldPlan(data, FoldSettings(protocol: .official), seed: 3), of: data)
    #expect(!report.isClean && report.crossings.contains { $0.kind == .identity && $0.value == "the same person" })
  }

  @Test func `a set's weight multiplies its samples' weights`() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("m.csv", "path,label,weight\na.wav,real,2\nb.wav,fake,\n").path
    let data = try Dataset(reading: DataSource(name: "d", path: path, weight: 0.5))
    #expect(data.samples.map(\.weight) == [1, 0.5])
    #expect(throws: DatasetError.self) { try Dataset(reading: DataSource(name: "d", path: path, weight: 0)) }
  }
}

@Suite struct `probes of names` {
  @Test func `a codec or a person that gives the label away is found, and pairs are no false alarm`() throws {
    let folder = try TemporaryFolder()
    var text = "path,label,identity\n"
    for index in 0..<60 {
      let isFake = index % 2 == 1
      // Fakes have another rate, which is a shortcut of its own, but one format; each person has one of each.
      try wave(seconds: 0.3 + 0.001 * Double(index / 2)).write(to: folder.url.appendingPathComponent("\(index).wav"))
      text += "\(index).wav,\(isFake ? "fake" : "real"),p\(index / 2)\n"
    }
    func audit(_ text: String) throws -> [String: ShortcutProbe] {
      let source = DataSource(name: "d", path: try folder.write("manifest.csv", text).path)
      let roots = try DataRoots([source])
      let audit = try ShortcutAudit(Dataset(reading: source).scanned(roots), roots)
      return Dictionary(uniqueKeysWithValues: audit.probes.map { ($0.name, $0) })
    }
    let paired = try audit(text)
    #expect(paired["codec"] == nil && paired["identity"]?.warning == nil)
    // Now ten people say everything, five of them only in fakes.
    var leaky = "path,label,identity\n"
    for index in 0..<60 { leaky += "\(index).wav,\(index % 2 == 1 ? "fake" : "real"),p\(index % 10)\n" }
    let found = try audit(leaky)
    #expect((found["identity"]?.auc ?? 0) > 0.95 && found["identity"]?.warning?.contains("identity alone") == true)
  }

  @Test func `near duplicates of other groups are found across parts`() throws {
    let folder = try TemporaryFolder()
    var text = "path,label\n"
    func speech(_ seed: UInt64, gain: Double) -> Data {
      // Bursts of random loudness: no two seeds rise and fall alike.
      var random = KeyedRandom(seed: seed, purpose: "test")
      let levels = (0..<90).map { _ in 0.05 + 0.9 * random.unit() }
      var data = wave(seconds: 1.8)
      data.withUnsafeMutableBytes { bytes in
        for index in 0..<28_800 {
          let value = bytes.loadUnaligned(fromByteOffset: 44 + 2 * index, as: Int16.self)
          let scaled = Double(value) * levels[index / 320] * gain
          bytes.storeBytes(of: Int16(scaled), toByteOffset: 44 + 2 * index, as: Int16.self)
        }
      }
      return data
    }
    for index in 0..<24 {
      // The last one is the first one again, less loud: other bytes, the same sound.
      try speech(index == 23 ? 0 : UInt64(index), gain: index == 23 ? 0.7 : 1)
        .write(to: folder.url.appendingPathComponent("\(index).wav"))
      text += "\(index).wav,\(index % 2 == 0 ? "real" : "fake")\n"
    }
    let source = DataSource(name: "d", path: try folder.write("manifest.csv", text).path)
    let roots = try DataRoots([source])
    let data = try Dataset(reading: source).scanned(roots)
    let groups = try SampleGroups(data, rule: "auto")
    let found = NearDuplicates(data, roots, groups: groups)
    #expect(found.hashed == 24 && found.pairs.map { [$0.first, $0.second] } == [[0, 23]])
    let plan = try FoldPlan(data, FoldSettings(), seed: 1)
    let apart = (0..<5).contains { plan.parts[$0][0] != plan.parts[$0][23] }
    #expect(found.crossing(plan).count == (apart ? 1 : 0))
    #expect(NearDuplicates.hash(pixels: [UInt8](repeating: 7, count: 243)) == nil)
  }
}
