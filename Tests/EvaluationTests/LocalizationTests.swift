import Evaluation
import Files
import Foundation
import Testing

@Suite struct `localisation in time` {
  @Test(arguments: Case.load("localization"))
  func `agrees with the official tools`(_ c: Case) {
    let recordings = c["videos"].items.map { video in
      LocalizedRecording(
        labels: video["labels"].table.map { ($0[0], $0[1]) },
        proposals: video["proposals"].table.map { IntervalProposal(score: $0[0], start: $0[1], end: $0[2]) })
    }
    for iou in c["ap_lavdf_exact"].keys {
      expect(
        Localization.officialAveragePrecision(recordings, iou: Double(iou)!).value,
        near: c["ap_lavdf_exact"][iou].number, absolute: 1e-14, "official AP at \(iou)")
      expect(
        Localization.averagePrecision(recordings, iou: Double(iou)!).value, near: c["ap_activitynet"][iou].number,
        absolute: 1e-14, "AP at \(iou)")
    }
    for count in c["ar_lavdf"].keys {
      expect(
        Localization.averageRecall(recordings, proposals: Int(count)!).value, near: c["ar_lavdf"][count].number,
        absolute: 1e-14, "AR at \(count)")
    }
    #expect(c["ap_lavdf_exact"].keys.count == 3 && c["ar_lavdf"].keys.count == 4)
  }

  @Test func `of recordings without fakes is undefined`() {
    let real = LocalizedRecording(labels: [], proposals: [IntervalProposal(score: 1, start: 0, end: 1)])
    #expect(Localization.averagePrecision([real], iou: 0.5).reason == "nothing is fake in any recording")
    #expect(Localization.averageRecall([real], proposals: 5).value == nil)
  }

  @Test func `is read from a manifest and tables, whose mistakes are named with their line`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "localisation-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let (manifest, table) = (folder.appending(path: "m.csv"), folder.appending(path: "p.csv"))
    try writeAtomically("path,label,intervals\na,fake,0.5-1;2-3\nb,real,\n", to: manifest)
    try writeAtomically("sample,score,start,end\na,0.9,0.5,1\nb,0.8,0,1\na,0.7,2,3\n", to: table)
    let found = try LocalizedRecording.read(manifest: manifest, proposals: [table])
    #expect(found.map(\.labels.count) == [2, 0] && found.map(\.proposals.count) == [2, 1])
    let report = LocalizationReport(found)
    expect(report.ap["0.5"]?.value, near: 0.5 + 0.5 * 2 / 3, "AP")
    expect(report.officialAP["0.5"]?.value, near: 0.5 * 2 / 3, "official AP")
    #expect(report.ar["1"] == 0.5 && report.ar["2"] == 1.0)
    try writeAtomically("sample,score,start,end\nc,0.9,0.5,1\n", to: table)
    #expect { try LocalizedRecording.read(manifest: manifest, proposals: [table]) } throws: {
      "\($0)".contains("p.csv:2: c is not in")
    }
  }
}
