import Foundation
import Testing

@testable import Datasets

/// The real label lists of the field are not ours to ship: UNMASK_FIELD_LISTS names a folder that has them. Complete ones
/// give the published counts, excerpts their own, which were counted apart from this program.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["UNMASK_FIELD_LISTS"] != nil))
struct `real label lists` {
  let folder: TemporaryFolder
  let lists = URL(fileURLWithPath: ProcessInfo.processInfo.environment["UNMASK_FIELD_LISTS"] ?? "/")
  init() throws { folder = try TemporaryFolder() }

  private func copy(_ from: String, _ to: String) throws {
    try folder.write(to, try text(from))
  }

  private func text(_ name: String) throws -> String {
    try String(contentsOf: lists.appendingPathComponent(name), encoding: .utf8)
  }

  private func read(_ layout: String) throws -> Dataset {
    try Dataset(reading: DataSource(name: "d", layout: layout, path: folder.url.path))
  }

  private func counts(_ dataset: Dataset, _ split: String? = nil, _ modality: Modality? = nil) -> ClassCounts {
    var counts = ClassCounts()
    for sample in dataset.samples where split == nil || sample.split == split {
      counts.add(modality.map(sample.label) ?? sample.label)
    }
    return counts
  }

  @Test func `ASVspoof 2019 LA`() throws {
    let protocols = "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm."
    try copy("asvspoof2019/ASVspoof2019.LA.cm.train.trn.txt", protocols + "train.trn.txt")
    try copy("asvspoof2019/ASVspoof2019.LA.cm.dev.trl.txt", protocols + "dev.trl.txt")
    try copy("asvspoof2019/ASVspoof2019.LA.cm.eval.trl.first2000.txt", protocols + "eval.trl.txt")
    let data = try read("asvspoof2019-la")
    let found = try PublishedCounts.compare(data, with: ASVspoof2019().description)
    #expect(found[0].line.hasSuffix(": complete") && found[1].line.hasSuffix(": complete"))
    #expect(counts(data, "test") == ClassCounts(real: 236, fake: 1764))
    #expect(Set(data.samples.filter { $0.split == "train" }.map(\.identity)).count == 20)
    #expect(Set(data.samples.filter { $0.split != "test" }.map(\.identity)).count == 40)
    #expect(data.samples.count { $0.split == "train" && $0.type == "A03" } == 3800)
    #expect(data.samples.count { $0.split == "validation" && $0.type == "A06" } == 3716)
    #expect(LeakReport(try FoldPlan(data, FoldSettings(protocol: .official), seed: 1), of: data).isClean)
  }

  @Test func `ASVspoof 2021, ASVspoof 5 and In-the-Wild`() throws {
    try copy("samples/asvspoof2021_LA_trial_metadata.sample.txt", "keys/LA/CM/trial_metadata.txt")
    try copy("samples/asvspoof2021_DF_trial_metadata.sample.txt", "keys/DF/CM/trial_metadata.txt")
    try copy("samples/ASVspoof5.dev.track_1.sample.tsv", "ASVspoof5.dev.track_1.tsv")
    try copy("samples/in_the_wild_meta.sample.csv", "release_in_the_wild/meta.csv")
    let spoken = try read("asvspoof2021-la")
    #expect(counts(spoken, "eval") == ClassCounts(fake: 5) && counts(spoken, "progress") == ClassCounts(fake: 1))
    #expect(Set(spoken.samples.map(\.identity)) == ["@asvspoof/LA_0009"])
    #expect(counts(try read("asvspoof2021-df")) == ClassCounts(fake: 3))
    #expect(counts(try read("asvspoof5"), "validation") == ClassCounts(real: 2, fake: 5))
    #expect(counts(try read("in-the-wild")) == ClassCounts(fake: 2))
  }

  @Test func `Celeb-DF, DFDC and FaceForensics`() throws {
    try copy("celebdf/List_of_testing_videos.txt", "List_of_testing_videos.txt")
    let celebrities = try read("celeb-df")
    #expect(counts(celebrities, "test") == ClassCounts(real: 178, fake: 340))
    #expect(Set(celebrities.samples.flatMap { [$0.identity, $0.source].compactMap(\.self) }).count == 56)
    try copy("dfdc/dfdc_test_metadata_full.json", "test/metadata.json")
    for part in [0, 1, 10] {
      try copy("dfdc/dfdc_train_part_\(part)_metadata.json", "dfdc_train_part_\(part)/metadata.json")
    }
    let challenge = try read("dfdc")
    #expect(counts(challenge, "test") == ClassCounts(real: 2500, fake: 2500))
    #expect(counts(challenge, "train") == ClassCounts(fake: 6))
    func changed(_ column: Int, _ kind: String) -> Int { challenge.samples.count { $0.extra[column] == kind } }
    #expect(challenge.extraColumns == ["part", "augmenter", "distractor"])
    #expect(challenge.samples.count { !$0.extra[1].isEmpty } == 3540 && changed(1, "resolution_change") == 366)
    #expect(challenge.samples.count { !$0.extra[2].isEmpty } == 1423 && changed(1, "no_audio") == 306)
    for part in ["train", "val", "test"] { try copy("ffpp/\(part).json", "splits/\(part).json") }
    // Every video that the lists name, of two methods, as empty files.
    for part in ["train", "val", "test"] {
      let pairs = try JSONDecoder().decode([[String]].self, from: Data(try text("ffpp/\(part).json").utf8))
      for pair in pairs {
        for id in pair { try folder.write("original_sequences/youtube/c23/videos/\(id).mp4", "") }
        for (a, b) in [(pair[0], pair[1]), (pair[1], pair[0])] {
          for method in ["Deepfakes", "FaceShifter"] {
            try folder.write("manipulated_sequences/\(method)/c23/videos/\(a)_\(b).mp4", "")
          }
        }
      }
    }
    let faces = try read("faceforensics")
    #expect(counts(faces, "train") == ClassCounts(real: 720, fake: 1440))
    #expect(counts(faces, "validation") == ClassCounts(real: 140, fake: 280))
    #expect(counts(faces, "test") == ClassCounts(real: 140, fake: 280))
    #expect(try SampleGroups(faces, rule: "auto").count == 500)
    #expect(LeakReport(try FoldPlan(faces, FoldSettings(protocol: .official), seed: 1), of: faces).isClean)
    let complete = try PublishedCounts.compare(faces, with: FaceForensics().description)
      .filter { $0.line.hasSuffix(": complete") }.map(\.part)
    #expect(
      complete
        == [
          "youtube", "Deepfakes", "FaceShifter", "test part of youtube", "test part of Deepfakes",
          "test part of FaceShifter",
        ].map { $0 + ", c23" })
  }

  @Test func `FakeAVCeleb's identities are joined, and the field's split divides them`() throws {
    var parts: [String: String] = [:]
    for (part, file) in [
      ("validation", "avh_align_val_split.csv"), ("train", "avh_align_train_split.every20th.csv"),
      ("test", "avh_align_test_split.every20th.csv"),
    ] {
      for line in try text("fakeavceleb/" + file).split(separator: "\n").dropFirst() {
        let path = String(line.split(separator: ",")[2]).trimmingCharacters(in: .whitespacesAndNewlines)
        try folder.write(path, "")
        parts[path] = part
      }
    }
    var data = try read("fakeavceleb")
    #expect(data.samples.count == 2500 && parts.count == 2500)
    for index in data.samples.indices { data.samples[index].split = parts[data.samples[index].id] }
    #expect(counts(data, "validation", .audio) == ClassCounts(real: 35 + 679, fake: 35 + 748))
    #expect(counts(data, "validation", .video) == ClassCounts(real: 70, fake: 679 + 748))
    #expect(counts(data, "validation") == ClassCounts(real: 35, fake: 1462))
    let groups = try SampleGroups(data, rule: "auto")
    #expect(groups.count == 11)
    #expect(
      Set(data.samples.flatMap { [$0.identity!] + SampleGroups.values($0.source ?? "") }).subtracting([""]).count == 500
    )
    let report = LeakReport(try FoldPlan(data, FoldSettings(protocol: .official, group: "identity"), seed: 1), of: data)
    // The first persons are apart, those that fakes were made with are not.
    #expect(report.crossingCounts["identity"] == nil && report.crossingCounts["group"] == nil)
    #expect(report.crossingCounts["source"] ?? 0 > 0)
    #expect(report.parts.filter { $0.part != .unused }.map(\.shared) == [657, 1494, 333])
    let notes = try FoldPlan(data, FoldSettings(), seed: 1).notes(of: data).joined(separator: "\n")
    #expect(notes.contains("11 groups for 5 folds") && notes.contains("(--group identity"))
    #expect(notes.contains("race, gender never changes"))
    // By the first person alone, as the field does: equal folds, and a leak report that says what it costs.
    let plain = try FoldPlan(data, FoldSettings(group: "identity"), seed: 1)
    let found = LeakReport(plain, of: data)
    #expect(plain.groups.count == 469 && !found.isClean)
  }

  @Test func `FakeAVCeleb's table, LAV-DF's list and AV-Deepfake1M's paths`() throws {
    try copy("samples/fakeavceleb_meta_data.sample.csv", "FakeAVCeleb/meta_data.csv")
    try folder.write("FakeAVCeleb/RealVideo-RealAudio/African/men/id00076/00109.mp4")
    let voices = try read("fakeavceleb")
    #expect(voices.samples.map(\.label) == [.real, .fake] && voices.samples[1].type == "wav2lip")
    try copy("samples/lavdf_metadata.sample.json", "metadata.json")
    #expect(counts(try read("lav-df"), "test") == ClassCounts(real: 1))
    // The published list of a subset has paths and labels; the layout's own list is made of them.
    var entries: [[String: String]] = []
    let kinds = [
      "real": "real", "fake_video_fake_audio": "both_modified", "real_video_fake_audio": "audio_modified",
      "fake_video_real_audio": "visual_modified",
    ]
    for line in try text("av1m/test_metadata.first300.csv").split(separator: "\n").dropFirst() {
      let path = String(line.split(separator: ",")[0])
      entries.append([
        "file": path,
        "modify_type": kinds[path.split(separator: "/").last!.split(separator: ".").first.map(String.init)!]!,
      ])
    }
    try folder.write("val_metadata.json", String(decoding: try JSONEncoder().encode(entries), as: UTF8.self))
    let million = try read("av-deepfake1m")
    #expect(counts(million) == ClassCounts(real: 78, fake: 221))
    #expect(counts(million, nil, .audio) == ClassCounts(real: 78 + 62, fake: 86 + 73))
    #expect(Set(million.samples.map(\.identity)).count == 255)
  }
}
