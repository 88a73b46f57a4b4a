/// DeeperForensics-1.0: fakes only. Its real class is FaceForensics++ youtube c23, which is not shipped; `source_videos`
/// are the actors' recordings and **not** the real class, as its authors write.
public struct DeeperForensics: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "deeperforensics"
  /// What shows that a folder is this set.
  public let marks = ["manipulated_videos"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "DeeperForensics-1.0",
    what: "11,000 face swaps of 100 actors onto FaceForensics++ videos: end_to_end and ten distorted variants.",
    use: "Robustness to distortions. Join it with faceforensics for the real class: 1:1 with end_to_end alone, 1:11 "
      + "with everything. Its target videos are those of FaceForensics++, and count as the same people there.",
    layout: ["manipulated_videos/<variant>/<target>_<actor>.mp4", "lists/splits/{train,val,test}.txt"],
    size: "about 284 GB", licence: "on request, research only",
    source: "https://github.com/EndlessSora/DeeperForensics-1.0",
    classes: [.init(.image, real: 0, fake: 11000), .init(.video, real: 0, fake: 11000)],
    published: [
      .init("one variant", real: 0, fake: 1000, each: "variant"),
      .init("train part of one variant", real: 0, fake: 703, where: ["split": "train"], each: "variant"),
      .init("validation part of one variant", real: 0, fake: 96, where: ["split": "validation"], each: "variant"),
      .init("test part of one variant", real: 0, fake: 201, where: ["split": "test"], each: "variant"),
    ])

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    var splits: [String: String] = [:]
    for (file, part) in [("train", "train"), ("val", "validation"), ("test", "test")] {
      guard let path = tree.first(["lists/splits/\(file).txt", "splits/\(file).txt"]) else { continue }
      for (_, words) in try tree.lines(path) { splits[words[0].stem] = part }
    }
    var list = SampleList(tree, extra: ["variant"])
    for variant in tree.names(in: "manipulated_videos") {
      for path in try tree.media(below: "manipulated_videos/\(variant)", .video) {
        let people = path.stem.split(separator: "_", maxSplits: 1).map(String.init)
        try list.add(path, .fake) { sample in
          sample.identity = people.first.map { FaceForensics.person($0) }
          sample.source = people.count > 1 ? people[1] : nil
          sample.type = "DeeperForensics"
          sample.split = splits[path.stem]
          sample.extra = [variant]
        }
      }
    }
    return list
  }
}
