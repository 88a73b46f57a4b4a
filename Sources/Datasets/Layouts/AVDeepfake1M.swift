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
    use: "Finding where a clip is fake, at scale. Fakes begin with a short silence that tells the classes: trim it.",
    layout: ["{train,val}/idNNNNN/<video>/<clip>/{real,fake_video_real_audio,…}.mp4", "{train,val}_metadata.json"],
    size: "about 400 GB", licence: "on request, research only", source: "https://github.com/ControlNet/AV-Deepfake1M",
    published: [.init("1M++ validation", real: 20220, fake: 57106)])

  /// The reader.
  public init() {}

  private struct Entry: Decodable {
    let file, modify_type: String
    let original: String?
    let fake_segments: [[Double]]?
    let audio_model: String?
  }

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    var list = SampleList(tree, extra: ["audio_model"])
    for (part, split) in [("train", "train"), ("val", "validation")] where tree.has("\(part)_metadata.json") {
      let path = "\(part)_metadata.json"
      for entry in try tree.json(path, as: [Entry].self) {
        let kind = entry.modify_type.replacing("-", with: "_")
        guard let (picture, sound) = Self.kinds[kind] else {
          throw DatasetError(path, "\(entry.file) has modify_type \"\(entry.modify_type)\", which is not known")
        }
        let isFake = picture == .fake || sound == .fake
        let segments = entry.fake_segments ?? []
        guard segments.allSatisfy({ $0.count == 2 && $0[0] >= 0 && $0[1] > $0[0] }) else {
          throw DatasetError(path, "\(entry.file) has fake_segments that are not [start, end] in seconds")
        }
        let file = entry.file.hasPrefix(part + "/") ? entry.file : "\(part)/\(entry.file)"
        try list.add(file, isFake ? .fake : .real) { sample in
          (sample.visualLabel, sample.audioLabel) = (picture, sound)
          sample.type = isFake ? kind : ""
          sample.identity = file.split(separator: "/").dropFirst().first.map(String.init)
          sample.source = entry.original
          sample.split = split
          sample.intervals = isFake ? segments.map { FakeInterval(start: $0[0], end: $0[1]) } : []
          sample.extra = [entry.audio_model ?? ""]
        }
      }
    }
    return list
  }

  private static let kinds: [String: (picture: Label, sound: Label)] = [
    "real": (.real, .real), "visual_modified": (.fake, .real), "audio_modified": (.real, .fake),
    "both_modified": (.fake, .fake),
  ]
}
