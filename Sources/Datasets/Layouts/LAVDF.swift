public import Foundation

/// LAV-DF: `metadata.json` (or `metadata.min.json`), with the fake parts in seconds.
public struct LAVDF: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "lav-df"
  /// What shows that a folder is this set.
  public let marks = ["metadata.min.json"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "LAV-DF",
    what: "136,304 VoxCeleb2 clips in which words were replaced in sound, picture or both, with their times.",
    use:
      "Finding where a clip is fake; nearly balanced for sound and picture by their own labels. Train, dev and test by "
      + "clip.",
    layout: ["{train,dev,test}/NNNNNN.mp4", "metadata.json or metadata.min.json"], size: "about 24 GB",
    licence: "CC BY-NC 4.0, on request", source: "https://github.com/ControlNet/LAV-DF",
    classes: [.init(.audio, real: 69_974, fake: 66_330), .init(.video, real: 69_601, fake: 66_703)],
    published: [
      .init("all", real: 36431, fake: 99873),
      .init("of these video alone", real: 0, fake: 33543, where: ["type": "video"]),
      .init("of these audio alone", real: 0, fake: 33170, where: ["type": "audio"]),
      .init("of these both", real: 0, fake: 33160, where: ["type": "both"]),
    ])

  /// The reader.
  public init() {}

  /// The full list alone, `metadata.json`, is a name that others use too: the parts must lie beside it.
  public func recognises(_ url: URL) -> Bool {
    let has = { FileManager.default.fileExists(atPath: url.appendingPathComponent($0).path) }
    return has("metadata.min.json") || has("metadata.json") && ["train", "dev", "test"].contains { has($0) }
  }

  private struct Entry: Decodable {
    let file: String
    let fake_periods: [[Double]]
    let original, split: String?
    let modify_video, modify_audio: Bool
  }

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    let path = try tree.require(["metadata.min.json", "metadata.json"], "metadata.json")
    var list = SampleList(tree)
    for entry in try tree.json(path, as: [Entry].self) {
      let isFake = entry.modify_video || entry.modify_audio
      let periods = try FakeInterval.list(pairs: entry.fake_periods, of: entry.file, "fake_periods", path)
      try list.add(entry.file, isFake ? .fake : .real) { sample in
        sample.visualLabel = entry.modify_video ? .fake : .real
        sample.audioLabel = entry.modify_audio ? .fake : .real
        sample.type = !isFake ? "" : entry.modify_video ? entry.modify_audio ? "both" : "video" : "audio"
        sample.source = entry.original ?? entry.file
        sample.split = entry.split == "dev" ? "validation" : entry.split
        sample.intervals = isFake ? periods : []
      }
    }
    return list
  }
}
