/// AV-Deepfake1M: `train_metadata.json` and `val_metadata.json`; test labels are not published. `both-modified` with a
/// hyphen is taken as `both_modified`: the official loader compares with the one and the lists have the other.
public struct AVDeepfake1M: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "av-deepfake1m"
  /// What shows that a folder is this set.
  public let marks = ["train_metadata.json", "val_metadata.json"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "AV-Deepfake1M (and 1M++)",
    what:
      "Over a million VoxCeleb2 clips with words changed by a language model in sound, picture or both, with times.",
    use:
      "Finding where a clip is fake, at scale (columns audio_intervals and visual_intervals say in which stream); sound and picture are nearly balanced by their own labels. Fakes begin "
      + "with a short silence that tells the classes: trim it. Labels of the test part are not published.",
    layout: ["{train,val}/idNNNNN/<video>/<clip>/{real,fake_video_real_audio,…}.mp4", "{train,val}_metadata.json"],
    size: "about 400 GB", licence: "on request, research only", source: "https://github.com/ControlNet/AV-Deepfake1M",
    classes: [.init(.audio, real: 39_319, fake: 38_007), .init(.video, real: 39_158, fake: 38_168)],
    published: [
      .init("AV-Deepfake1M, the unpublished test part included", real: 286_721, fake: 860_039, where: nil),
      .init(
        "validation of 1M++", real: 20220, fake: 57106, where: ["edition": "1M++", "split": "validation"],
        isAddition: true),
    ])

  /// The reader.
  public init() {}

  private struct Entry: Decodable {
    let file, modify_type: String
    let original: String?
    let fake_segments, audio_fake_segments, visual_fake_segments: [[Double]]?
    let audio_model: String?
  }

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    var list = SampleList(tree, extra: ["audio_model", "edition", "audio_intervals", "visual_intervals"])
    for (part, split) in [("train", "train"), ("val", "validation")] where tree.has("\(part)_metadata.json") {
      let path = "\(part)_metadata.json"
      for entry in try tree.json(path, as: [Entry].self) {
        let kind = entry.modify_type.replacing("-", with: "_")
        guard let (picture, sound) = Self.kinds[kind] else {
          throw DatasetError(path, "\(entry.file) has modify_type \"\(entry.modify_type)\", which is not known")
        }
        let isFake = picture == .fake || sound == .fake
        let parts = try [
          ("fake_segments", entry.fake_segments, isFake),
          ("audio_fake_segments", entry.audio_fake_segments, sound == .fake),
          ("visual_fake_segments", entry.visual_fake_segments, picture == .fake),
        ].map { key, given, counts in
          let found = try FakeInterval.list(pairs: given ?? [], of: entry.file, key, path)
          return counts ? found : []
        }
        let file = entry.file.hasPrefix(part + "/") ? entry.file : "\(part)/\(entry.file)"
        try list.add(file, isFake ? .fake : .real) { sample in
          (sample.visualLabel, sample.audioLabel) = (picture, sound)
          sample.type = isFake ? kind : ""
          sample.identity = Self.identity(file)
          sample.source = entry.original.map { $0.hasPrefix(part + "/") ? $0 : "\(part)/\($0)" }
          sample.split = split
          sample.intervals = parts[0]
          sample.extra =
            [entry.audio_model ?? "", Self.isSecond(file) ? "1M++" : "1M"] + parts[1...].map(FakeInterval.text)
        }
      }
    }
    return list
  }

  // train/id00012/<video>/<clip>/real.mp4, where id00012 is a person of VoxCeleb2; 1M++ puts the corpus before it.
  private static func identity(_ file: String) -> String? {
    let folders = file.split(separator: "/").dropFirst().dropLast().map(String.init)
    if let person = folders.first(where: FakeAVCeleb.isIdentity) { return "@voxceleb2/\(person)" }
    return folders.isEmpty ? nil : folders.prefix(max(1, folders.count - 1)).joined(separator: "/")
  }

  private static func isSecond(_ file: String) -> Bool {
    file.split(separator: "/").dropFirst().first.map { !FakeAVCeleb.isIdentity(String($0)) } ?? false
  }

  private static let kinds: [String: (picture: Label, sound: Label)] = [
    "real": (.real, .real), "visual_modified": (.fake, .real), "audio_modified": (.real, .fake),
    "both_modified": (.fake, .fake),
  ]
}
