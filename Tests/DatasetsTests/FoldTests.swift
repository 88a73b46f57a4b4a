import Foundation
import Testing

@testable import Datasets

@Suite struct `folds` {
  private struct Case: Decodable {
    let kind: String
    let n: Int?
    let labels, groups: [Int]?
    let folds: Int
    let expected: Expected

    struct Expected: Decodable {
      let fold_sizes_sorted, per_fold_class_count_floor, per_fold_class_count_ceil: [Int]?
      let bound_on_share_deviation, bound_on_size_deviation, overall_positive_share: Double?
    }
  }
  private struct Cases: Decodable { let cases: [Case] }

  /// A data set of `labels.count` samples, label 0 real; labels above 1 become types of fake.
  private func dataset(_ labels: [Int], groups: [Int]? = nil) -> Dataset {
    Dataset(
      samples: labels.indices.map { index in
        var sample = Sample(id: "s\(index).wav", dataset: "d", label: labels[index] == 0 ? .real : .fake)
        sample.type = labels[index] < 2 ? "" : "t\(labels[index])"
        sample.group = groups.map { "g\($0[index])" }
        return sample
      })
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] as [UInt64])
  func `have the properties of the reference splits`(seed: UInt64) throws {
    var url = fixtures.appendingPathComponent("datasets")
    if let cases = ProcessInfo.processInfo.environment["UNMASK_CASES"] {
      url = URL(fileURLWithPath: cases).appendingPathComponent("stats")
    }
    let cases = try JSONDecoder().decode(
      Cases.self, from: Data(contentsOf: url.appendingPathComponent("splits.json"))
    ).cases
    #expect(cases.count >= 4)
    for item in cases {
      let count = item.n ?? item.labels?.count ?? item.groups!.count
      // Unlabelled cases get both labels, which the split must not look at.
      let data = dataset(item.labels ?? (0..<count).map { $0 % 2 }, groups: item.groups)
      let settings = FoldSettings(count: item.folds, stratify: item.labels == nil ? [] : ["label", "type"])
      let plan = try FoldPlan(data, settings, seed: seed)
      #expect(try FoldPlan(data, settings, seed: seed).testFold == plan.testFold)
      #expect(try FoldPlan(data, settings, seed: seed + 100).testFold != plan.testFold)
      let tests = (0..<item.folds).map { plan.indices(.test, fold: $0) }
      #expect(tests.flatMap { $0 }.sorted() == Array(0..<count))
      for fold in 0..<item.folds {
        let parts = Part.allCases.filter { $0 != .unused }.map { plan.indices($0, fold: fold) }
        #expect(parts.flatMap { $0 }.sorted() == Array(0..<count) && parts.allSatisfy { !$0.isEmpty })
      }
      if let sizes = item.expected.fold_sizes_sorted { #expect(tests.map(\.count).sorted() == sizes, "\(item.kind)") }
      if let floors = item.expected.per_fold_class_count_floor, let ceilings = item.expected.per_fold_class_count_ceil {
        for test in tests {
          for label in floors.indices {
            #expect((floors[label]...ceilings[label]).contains(test.count { item.labels![$0] == label }))
          }
        }
      }
      if let groups = item.groups {
        for fold in 0..<item.folds {
          let sets = Part.allCases.map { Set(plan.indices($0, fold: fold).map { groups[$0] }) }
          #expect(
            sets[0].isDisjoint(with: sets[1]) && sets[0].isDisjoint(with: sets[2]) && sets[1].isDisjoint(with: sets[2]))
        }
      }
      if let bound = item.expected.bound_on_size_deviation {
        for test in tests { #expect(abs(Double(test.count) / Double(count) - 1 / Double(item.folds)) <= bound) }
      }
      if let bound = item.expected.bound_on_share_deviation, let overall = item.expected.overall_positive_share {
        for test in tests {
          let share = Double(test.count { item.labels![$0] == 1 }) / Double(test.count)
          #expect(abs(share - overall) <= bound)
        }
      }
    }
  }

  @Test func `do not depend on the order of the samples`() throws {
    let groups = (0..<200).map { $0 * 7919 % 37 }
    var data = dataset((0..<200).map { $0 % 3 }, groups: groups)
    let plan = try FoldPlan(data, FoldSettings(), seed: 5)
    var random = KeyedRandom(seed: 1, purpose: "test")
    let order = random.permuted(Array(0..<200))
    data.samples = order.map { data.samples[$0] }
    let other = try FoldPlan(data, FoldSettings(), seed: 5)
    #expect(other.testFold == order.map { plan.testFold[$0] })
    for fold in 0..<5 { #expect(other.parts[fold] == order.map { plan.parts[fold][$0] }) }
    #expect(
      other.indices(.test, fold: 0).map { other.groups.names[other.groups.indices[$0]] }.sorted()
        == plan.indices(.test, fold: 0).map { plan.groups.names[plan.groups.indices[$0]] }.sorted())
  }

  @Test func `keep what is related together`() throws {
    var samples = (0..<40).map { Sample(id: "s\($0).mp4", dataset: "d", label: $0 % 2 == 0 ? .real : .fake) }
    samples[0].identity = "anna"
    samples[1].identity = "anna;bert"  // through anna
    samples[2].source = "bert"  // an identity that is another's source
    samples[3].source = "s2.mp4"  // another sample's path
    samples[4].sha256 = "same"
    samples[5].sha256 = "same"
    samples[6].identity = "anna"
    samples[6].group = "own"  // replaces the identity
    samples[7].identity = "anna"
    samples[7].dataset = "other"  // another anna
    let groups = try SampleGroups(Dataset(samples: samples), rule: "auto")
    let index = groups.indices
    #expect(index[0] == index[1] && index[1] == index[2] && index[2] == index[3] && index[4] == index[5])
    #expect(index[6] != index[0] && index[7] != index[0] && groups.count == 40 - 4)
    #expect(groups.names[index[0]] == "anna" && groups.names[index[6]] == "own" && groups.names[index[8]] == "s8.mp4")
    #expect(try SampleGroups(Dataset(samples: samples), rule: "none").count == 40)
    #expect(try SampleGroups(Dataset(samples: samples), rule: "source").count == 40)
    #expect(throws: DatasetError.self) { try SampleGroups(Dataset(samples: samples), rule: "speaker") }
  }

  @Test func `of fewer groups than folds are refused`() throws {
    let data = dataset((0..<30).map { $0 % 2 }, groups: (0..<30).map { $0 % 4 })
    let error = #expect(throws: DatasetError.self) { try FoldPlan(data, FoldSettings(), seed: 1) }
    #expect("\(error!)".contains("30 samples form only 4 groups"))
    _ = try FoldPlan(data, FoldSettings(count: 4), seed: 1)
    #expect(throws: DatasetError.self) { try FoldPlan(data, FoldSettings(count: 1), seed: 1) }
    #expect(throws: DatasetError.self) { try FoldPlan(data, FoldSettings(count: 2, validation: 0), seed: 1) }
    #expect(throws: DatasetError.self) { try FoldPlan(dataset([0, 0, 0, 0, 0, 0]), FoldSettings(), seed: 1) }
  }

  @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
  func `of few groups still have both classes in every part`(seed: UInt64) throws {
    // 12 pairs as in the sample data: 4 real and 8 fakes of four kinds each.
    let data = dataset(
      (0..<144).map { [0, 0, 0, 0, 1, 2, 3, 4, 1, 2, 3, 4][$0 % 12] }, groups: (0..<144).map { $0 / 12 })
    let plan = try FoldPlan(data, FoldSettings(), seed: seed)
    let report = LeakReport(plan, of: data)
    #expect(report.isClean && report.warnings.isEmpty)
    for part in report.parts where part.part == .test { #expect([2, 3].contains(part.groups)) }
    for part in report.parts where part.part == .validation { #expect([1, 2].contains(part.groups)) }
  }

  @Test func `validation takes its share of the rest`() throws {
    let plan = try FoldPlan(dataset((0..<1000).map { $0 % 4 == 0 ? 0 : 1 }), FoldSettings(validation: 0.2), seed: 3)
    for fold in 0..<5 {
      #expect(plan.indices(.validation, fold: fold).count == 160 && plan.indices(.test, fold: fold).count == 200)
      #expect(plan.indices(.validation, fold: fold).count { $0 % 4 == 0 } == 40)
    }
    #expect(plan.indices(.validation, fold: 0) != plan.indices(.validation, fold: 1))
  }

  @Test func `go through folds csv unchanged`() throws {
    let folder = try TemporaryFolder()
    var data = dataset((0..<60).map { $0 % 3 }, groups: (0..<60).map { $0 % 13 })
    let plan = try FoldPlan(data, FoldSettings(), seed: 3)
    let url = folder.url.appendingPathComponent("folds.csv")
    try FoldTable.write(plan, of: data, to: url)
    let text = try String(contentsOf: url, encoding: .utf8)
    #expect(
      text.hasPrefix("sample,dataset,group,label,type,fold,fold_0,fold_1,fold_2,fold_3,fold_4\ns0.wav,d,g0,real,,"))
    let back = try FoldTable.read(url, of: data, settings: plan.settings)
    #expect(back.testFold == plan.testFold && back.parts == plan.parts && back.groups.names == plan.groups.names)
    #expect(back.groups.indices == plan.groups.indices)
    data.samples.removeLast()
    #expect(throws: DatasetError.self) { try FoldTable.read(url, of: data, settings: plan.settings) }
    data.samples.append(Sample(id: "new.wav", dataset: "d", label: .real))
    #expect(throws: DatasetError.self) { try FoldTable.read(url, of: data, settings: plan.settings) }
  }
}

@Suite struct `the leak report` {
  private func planted(_ change: (inout [Sample]) -> Void) throws -> LeakReport {
    var samples = (0..<50).map { Sample(id: "s\($0).wav", dataset: "d", label: $0 % 2 == 0 ? .real : .fake) }
    for index in samples.indices { samples[index].sha256 = "hash \(index)" }
    change(&samples)
    let data = Dataset(samples: samples)
    return LeakReport(try FoldPlan(data, FoldSettings(group: "none"), seed: 1), of: data)
  }

  @Test func `of clean folds is clean`() throws {
    let report = try planted { _ in }
    #expect(report.isClean && report.warnings.isEmpty && report.duplicateSets == 0 && report.unhashed == 0)
    #expect(
      report.parts.count == 15 && report.parts.filter { $0.part == .test }.map(\.counts.total) == [10, 10, 10, 10, 10])
  }

  @Test func `finds an identity in several parts`() throws {
    let report = try planted { for index in 0..<20 { $0[index].identity = "anna" } }
    #expect(!report.isClean && report.crossingCounts == ["identity": 5])
    #expect(report.crossings.allSatisfy { $0.value == "anna" && $0.samples == 20 && $0.parts.count > 1 })
    #expect(report.warnings.first?.hasPrefix("LEAK: 5 times an identity") == true)
    #expect(report.warnings.first?.contains("identity \"anna\"") == true)
  }

  @Test func `finds a source and the same content`() throws {
    let report = try planted { samples in
      for index in 0..<20 { samples[index].source = "tape" }
      for index in 30..<40 { samples[index].sha256 = "copy" }
      samples[45].sha256 = nil
    }
    #expect(report.crossingCounts["source"] == 5 && report.crossingCounts["content"] == 5)
    #expect(report.duplicateSets == 1 && report.unhashed == 1 && report.conflictingDuplicates.count == 5)
    #expect(report.warnings.contains { $0.contains("s30.wav is real, s31.wav fake") })
  }

  @Test func `finds a group that a plan divides`() throws {
    let data = Dataset(
      samples: (0..<40).map { index in
        var sample = Sample(id: "s\(index).wav", dataset: "d", label: index % 2 == 0 ? .real : .fake)
        sample.group = "g\(index / 2)"
        return sample
      })
    let plan = try FoldPlan(data, FoldSettings(), seed: 2)
    #expect(LeakReport(plan, of: data).isClean)
    var parts = plan.parts
    parts[3][0] = parts[3][0] == .train ? .test : .train
    let broken = FoldPlan(settings: plan.settings, groups: plan.groups, testFold: plan.testFold, parts: parts)
    let report = LeakReport(broken, of: data)
    #expect(report.crossingCounts == ["group": 1] && report.crossings[0].value == "g0" && report.crossings[0].fold == 3)
  }

  @Test func `warns of a part without a class`() throws {
    let data = Dataset(samples: (0..<40).map { Sample(id: "s\($0)", dataset: "d", label: $0 < 3 ? .real : .fake) })
    let report = LeakReport(try FoldPlan(data, FoldSettings(), seed: 1), of: data)
    #expect(report.isClean && report.warnings.contains { $0.contains("0 real") && $0.contains("undefined") })
  }
}
