import Foundation
import Testing

@testable import Datasets

/// Copies with parts missing, folders that are something else, and counts beside the published ones.
@Suite struct `partial and wrong copies` {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func source(_ layout: String) -> DataSource { DataSource(name: "d", layout: layout, path: folder.url.path) }

  private func message(_ layout: String) -> String {
    do {
      _ = try Dataset(reading: source(layout))
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func `are recognised by whatever part is there`() throws {
    func recognised(_ path: String, _ text: String = "x") throws -> String {
      let folder = try TemporaryFolder()
      try folder.write(path, text)
      return try DatasetLayouts.named("auto", at: folder.url).name
    }
    #expect(try recognised("dfdc_train_part_37/metadata.json", "{}") == "dfdc")
    #expect(try recognised("generated_audio/ljspeech_parallel_wavegan/a.wav") == "wavefake")
    #expect(try recognised("ljspeech_full_band_melgan/LJ001-0001_gen.wav") == "wavefake")
    #expect(try recognised("for-rerec/training/real/a.wav") == "fake-or-real")
    #expect(try recognised("keys/DF/CM/trial_metadata.txt") == "asvspoof2021-df")
    let lavdf = try TemporaryFolder()
    try lavdf.write("metadata.json", "[]")
    try lavdf.write("dev/000001.mp4")
    #expect(try DatasetLayouts.named("auto", at: lavdf.url).name == "lav-df")
  }

  @Test func `say what they may be instead`() throws {
    try folder.write("Celeb-DF-v2/Celeb-real/id1_0000.mp4")
    #expect(
      message("celeb-df").contains("the folder Celeb-DF-v2 in it looks like it, give \(folder.url.path)/Celeb-DF-v2"))
    try folder.write("ASVspoof5.train.tsv", "")
    #expect(message("celeb-df").contains("Celeb-DF-v2 in it looks like it"))
    #expect(message("asvspoof2021-la").contains("the key file with the labels is missing"))
    #expect(message("asvspoof2021-la").contains("the folder looks like asvspoof5"))
    #expect(message("wavefake").contains("WaveFake has generated_audio/"))
  }

  @Test func `FaceForensics frames stand in for videos, and c0 is raw`() throws {
    try folder.write("original_sequences/youtube/c0/images/071/0000.png")
    try folder.write("manipulated_sequences/Face2Face/c40/images/071_054/0001.png")
    try folder.write("manipulated_sequences/FaceShifter/c40/videos/071_054.mp4")
    try folder.write("manipulated_sequences/FaceShifter/c40/images/071_054/0000.png")
    let samples = try Dataset(reading: source("faceforensics")).samples
    #expect(
      samples.map(\.extra) == [["raw", "youtube"], ["c40", "Face2Face"], ["c40", "FaceShifter"]])
    #expect(samples[1].identity == "@faceforensics/071" && samples[1].source == "@faceforensics/054")
    #expect(samples[1].modalities == .image && samples[2].modalities.contains(.video))
  }

  @Test func `AV-Deepfake1M++ has the corpus before the person`() throws {
    try folder.write(
      "val_metadata.json",
      #"""
      [{"file": "vox_celeb_2/id00012/abc/00130/real.mp4", "modify_type": "real"},
       {"file": "lrs3/xyz/00001/fake_video_real_audio.mp4", "original": "lrs3/xyz/00001/real.mp4", "modify_type": "visual_modified", "fake_segments": [[0.1, 0.4]]}]
      """#)
    let samples = try Dataset(reading: source("av-deepfake1m")).samples
    #expect(
      samples.map(\.identity) == ["@voxceleb2/id00012", "lrs3/xyz"] && samples.map { $0.extra[1] } == ["1M++", "1M++"])
    #expect(samples[1].source == "val/lrs3/xyz/00001/real.mp4")
  }

  @Test func `one person is one person in two sets`() throws {
    let (first, second) = (folder, try TemporaryFolder())
    try first.write("original_sequences/youtube/c23/videos/000.mp4")
    try first.write("original_sequences/youtube/c23/videos/001.mp4")
    try second.write("manipulated_videos/end_to_end/000_M101.mp4")
    let joined = try Dataset(joining: [
      Dataset(reading: DataSource(name: "ff", layout: "faceforensics", path: first.url.path)),
      Dataset(reading: DataSource(name: "deeper", layout: "deeperforensics", path: second.url.path)),
    ])
    let groups = try SampleGroups(joined, rule: "auto").indices
    #expect(groups[0] == groups[2] && groups[0] != groups[1])
    let plan = FoldPlan(
      settings: FoldSettings(group: "none"), groups: try SampleGroups(joined, rule: "none"), testFold: [-1, -1, 0],
      parts: [[.train, .validation, .test]])
    let report = LeakReport(plan, of: joined)
    #expect(report.crossings.map(\.value) == ["@faceforensics/000"] && report.parts.map(\.shared) == [1, 0, 1])
  }

  @Test func `counts stand beside the published ones`() throws {
    // As many lines as the official lists have.
    func lines(_ part: String, real: Int, fake: Int) -> String {
      (0..<real).map { "LA_0001 LA_\(part)_\($0) - - bonafide\n" }.joined()
        + (0..<fake).map { "LA_0002 LA_\(part)_\(real + $0) - A01 spoof\n" }.joined()
    }
    let lists = "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm."
    try folder.write(lists + "train.trn.txt", lines("T", real: 2580, fake: 22800))
    try folder.write(lists + "dev.trl.txt", lines("D", real: 2548, fake: 22290))
    var data = try Dataset(reading: source("asvspoof2019-la"))
    data.samples[7].problem = "the file is missing"
    let found = try PublishedCounts.compare(data, with: ASVspoof2019().description)
    #expect(
      found.map(\.line) == [
        "train: published real 2580, fake 22800; here real 2579, fake 22800 of real 2580, fake 22800 listed: 1 sample missing",
        "validation: published real 2548, fake 22296; here real 2548, fake 22290: 6 samples missing",
        "test: published real 7355, fake 63882; here real 0, fake 0: 71237 samples missing",
      ])
    #expect(found.map(\.missing) == [1, 6, 71237])
    data.samples[7].problem = nil
    #expect(try PublishedCounts.compare(data, with: ASVspoof2019().description)[0].line.hasSuffix(": complete"))
  }

  @Test func `each compression is compared with a whole one, and frames by their folders`() throws {
    for path in ["youtube/c23/videos/071.mp4", "youtube/c40/videos/071.mp4", "youtube/c40/videos/054.mp4"] {
      try folder.write("original_sequences/" + path)
    }
    let data = try Dataset(reading: source("faceforensics"))
    let found = try PublishedCounts.compare(data, with: FaceForensics().description)
    #expect(
      found.filter { $0.part.hasPrefix("youtube") }.map { "\($0.part) \($0.missing)" } == [
        "youtube, c23 999", "youtube, c40 998",
      ])
    let faces = try TemporaryFolder()
    for path in ["real_train/1/real/3/1.png", "real_train/1/real/3/2.png", "real_train/1/real/4/1.png"] {
      try faces.write(path)
    }
    let wild = try Dataset(reading: DataSource(name: "w", layout: "wilddeepfake", path: faces.url.path))
    #expect(try PublishedCounts.compare(wild, with: WildDeepfake().description)[0].have == ClassCounts(real: 2))
  }

  private func check(_ layout: String) throws -> FileCheck {
    let data = try Dataset(reading: source(layout))
    var scan = ScanOptions()
    scan.probesContent = false
    return try FileCheck(
      data.scanned(try DataRoots([source(layout)]), scan), root: folder.url,
      layout: DatasetLayouts.named(layout, at: folder.url))
  }

  @Test func `a set without lists is partial by what its authors state, and may lack later additions`() throws {
    for number in 0..<1000 {
      let id = String(repeating: "0", count: 3 - "\(number)".count) + "\(number)"
      try folder.write("original_sequences/youtube/c23/videos/\(id).mp4", id)
      for method in ["Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"] {
        try folder.write("manipulated_sequences/\(method)/c23/videos/\(id)_000.mp4", method + id)
      }
    }
    let ids = (0..<140).map { String(format: "%03d", $0) }
    let pairs = stride(from: 0, to: 140, by: 2).map { "[\"\(ids[$0])\",\"\(ids[$0 + 1])\"]" }
    try folder.write("splits/test.json", "[\(pairs.joined(separator: ","))]")
    // The pairs' own fakes are a_b and b_a.
    for method in ["Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"] {
      let videos = folder.url.appending(path: "manipulated_sequences/\(method)/c23/videos")
      for (place, id) in ids.enumerated() where place != 1 {
        try FileManager.default.moveItem(
          at: videos.appending(path: "\(id)_000.mp4"), to: videos.appending(path: "\(id)_\(ids[place ^ 1]).mp4"))
      }
    }
    #expect(try check("faceforensics").verdict == .complete)
    let video = folder.url.appending(path: "manipulated_sequences/FaceSwap/c23/videos/999_000.mp4")
    try FileManager.default.removeItem(at: video)
    let partial = try check("faceforensics")
    #expect(partial.verdict == .partial && partial.reason == "1 published part not whole (FaceSwap, c23)")
    // Something of an addition is compared with all of it.
    try folder.write("manipulated_sequences/FaceShifter/c23/videos/071_054.mp4", "x")
    #expect(try check("faceforensics").published.contains { $0.part == "FaceShifter, c23" && $0.missing == 999 })
    // The same bytes under both labels are wrong, however many there are.
    try folder.write("original_sequences/youtube/c23/videos/071.mp4", "x")
    #expect(try check("faceforensics").verdict == .faulty)
  }

  @Test(arguments: DatasetLayouts.official.map(\.name))
  func `one sample of a set that states its counts is a partial copy of it`(name: String) throws {
    let layout = DatasetLayouts.official.first { $0.name == name }!
    let columns = Set(layout.description.published.flatMap { ($0.columns ?? [:]).keys + [$0.each].compactMap(\.self) })
      .subtracting(["split", "type", "label"]).sorted()
    var sample = Sample(id: "a.mp4", dataset: "d", label: .fake)
    sample.extra = columns.map { _ in "x" }
    var data = Dataset(samples: [sample], extraColumns: columns)
    let folder = try TemporaryFolder()
    func verdict() throws -> FileCheck.Verdict {
      try FileCheck(data, root: folder.url, layout: layout).verdict
    }
    // Sets of which nothing is stated for what a copy can have are judged by their lists.
    let isStated = layout.description.published.contains { $0.columns != nil && !$0.isAddition }
    #expect(isStated || ["av-deepfake1m", "fake-or-real"].contains(name))
    #expect(try verdict() == (isStated ? .partial : .complete))
    data.samples[0].problem = "the file is empty"
    #expect(try verdict() == .faulty)
  }

  @Test(arguments: DatasetLayouts.official.map(\.name))
  func `every description has classes, and its published parts can be counted`(name: String) throws {
    let layout = DatasetLayouts.official.first { $0.name == name }!
    #expect(!layout.description.classes.isEmpty && layout.description.source.hasPrefix("https://"))
    // Columns that parts are counted by are those that the reader fills.
    let known = ["split", "type", "label"]
    for part in layout.description.published {
      for column in (part.columns ?? [:]).keys where !known.contains(column) {
        #expect(["edition", "sequence", "category", "version"].contains(column), "\(name): \(column)")
      }
    }
  }
}
