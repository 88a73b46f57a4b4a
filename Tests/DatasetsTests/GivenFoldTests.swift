import Foundation
import Testing

@testable import Datasets

@Suite struct `given folds` {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// 30 people with a real and a fake sample each.
  private let data = Dataset(
    samples: (0..<60).map { index in
      var sample = Sample(id: "\(index).wav", dataset: "d", label: index % 2 == 0 ? .real : .fake)
      sample.identity = "p\(index / 2)"
      sample.type = index % 2 == 0 ? "" : "t\(index / 2 % 2)"
      return sample
    })

  private func plan(_ text: String, _ dataset: Dataset? = nil) throws -> FoldPlan {
    let url = try folder.write("given.csv", text)
    return try FoldPlan(dataset ?? data, FoldSettings(protocol: .given, file: url.path), seed: 7)
  }

  private func message(_ text: String) -> String {
    do {
      _ = try plan(text)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func `an exported file gives the same parts, whatever made it`() throws {
    let url = folder.url.appendingPathComponent("folds.csv")
    for made in [
      try FoldPlan(data, FoldSettings(count: 3), seed: 5),
      try FoldPlan(data, FoldSettings(count: 3, repeats: 2), seed: 5),
      try FoldPlan(data, FoldSettings(protocol: .leaveOneTypeOut), seed: 5),
    ] {
      try FoldTable.write(made, of: data, to: url)
      let back = try FoldPlan(data, FoldSettings(protocol: .given, file: url.path), seed: 99)
      #expect(back.parts == made.parts && back.testFold == made.testFold && back.names == made.names)
      #expect(LeakReport(back, of: data).isClean)
    }
  }

  @Test func `a column with the tested fold is enough`() throws {
    let found = try plan(
      "sample,fold\n" + (0..<50).map { "\($0).wav,\($0 / 2 % 5)\n" }.joined() + "50.wav,\n")
    #expect(found.count == 5 && found.names.isEmpty && found.indices(.test, fold: 0).count == 10)
    #expect(LeakReport(found, of: data).isClean && !found.indices(.validation, fold: 2).isEmpty)
    // Without a row, or with an empty cell: unused.
    #expect(found.indices(.unused, fold: 3) == Array(50..<60) && found.testFold[55] == -1)
    let named = try plan("path,fold\n" + (0..<60).map { "\($0).wav,\($0 < 30 ? "north" : "south")\n" }.joined())
    #expect(named.names == ["north", "south"] && named.indices(.test, fold: 1) == Array(30..<60))
  }

  @Test func `a planted identity leak is found in them`() throws {
    let found = try plan("sample,fold\n" + (0..<60).map { "\($0).wav,\($0 % 2)\n" }.joined())
    let report = LeakReport(found, of: data)
    #expect(report.crossingCounts["identity"] ?? 0 > 0 && report.crossingCounts["group"] ?? 0 > 0)
    #expect(report.parts.filter { $0.part == .test }.map(\.shared) == [30, 30])
    #expect(report.warnings.contains { $0.contains("30 of 30 test samples of fold 0 share") })
  }

  @Test func `what cannot be used is refused with its line`() throws {
    #expect(message("path,part\n1.wav,train\n").contains("neither a column \"fold\""))
    #expect(message("id,fold\n1.wav,0\n").contains("the column \"sample\" is missing"))
    #expect(message("sample,fold\nno.wav,0\n").contains(":2: the data has no sample no.wav"))
    #expect(message("sample,fold\n1.wav,0\n1.wav,1\n").contains(":3: sample 1.wav stands here twice"))
    #expect(message("sample,fold_0\n1.wav,exam\n").contains(":2: part \"exam\" is not"))
    #expect(message("sample,fold_0\n1.wav,train\n2.wav,test\n").contains("the validation part of fold 0 is empty"))
    #expect(throws: DatasetError.self) { try FoldSettings(protocol: .given).validate() }
    #expect(throws: DatasetError.self) { try FoldSettings(file: "folds.csv").validate() }
    try FoldSettings(file: "").validate()
  }

  @Test func `one group that holds nearly everything is said`() throws {
    var samples = data.samples
    for index in 0..<50 { samples[index].source = "everybody" }
    for index in samples.indices { samples[index].split = index < 50 ? "train" : "test" }
    let tied = Dataset(samples: samples)
    let notes = try FoldPlan(tied, FoldSettings(), seed: 1).notes(of: tied)
    #expect(
      notes[0].contains("\"everybody\" holds 50 of 60 samples (83%)")
        && notes[0].contains("The field takes the published parts (--protocol official"))
    #expect(notes[0].contains("--group identity") && notes[0].contains("30 groups"))
    #expect(try FoldPlan(data, FoldSettings(), seed: 1).notes(of: data).isEmpty)
    // Published parts that leak are not offered: the note says what they share.
    samples[55].source = "everybody"
    let leaking = Dataset(samples: samples)
    let note = try FoldPlan(leaking, FoldSettings(), seed: 1).notes(of: leaking)[0]
    #expect(note.contains("The field divides by the first person alone") && !note.contains("takes the published parts"))
    #expect(
      note.contains(
        "(--protocol official) are no way out: 1 of 10 test samples of fold 0 share a group, a person, a source"))
    // And too few groups offer the same.
    for index in samples.indices { samples[index].source = "everybody" }
    #expect { try FoldPlan(Dataset(samples: samples), FoldSettings(), seed: 1) } throws: {
      "\($0)".contains("form only 1 group ") && "\($0)".contains("--group identity")
    }
  }

  @Test func `a person that fakes elsewhere were made from is a leak`() throws {
    var samples = data.samples
    samples[1].source = "p20"  // in another fold or part than p20's own recordings, if groups are made without it
    samples[3].source = "58.wav"  // a sample's path
    let all = Dataset(samples: samples)
    let plan = try FoldPlan(all, FoldSettings(group: "identity"), seed: 1)
    let apart = (0..<5).contains { plan.parts[$0][1] != plan.parts[$0][40] }
    let report = LeakReport(plan, of: all)
    #expect(apart && report.crossings.contains { $0.kind == .source && $0.value == "p20" })
    #expect(report.crossings.contains { $0.kind == .source && $0.value == "58.wav" })
    #expect(report.crossingCounts["identity"] == nil)
    #expect(LeakReport(try FoldPlan(all, FoldSettings(), seed: 1), of: all).isClean)
  }
}
