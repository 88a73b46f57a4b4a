/// FaceForensics++: original and manipulated sequences at several compressions. A fake is called
/// `<target>_<source>.mp4`; both people and all methods and compressions of a pair stay together.
public struct FaceForensics: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "faceforensics"
  /// What shows that a folder is this set.
  public let marks = ["original_sequences", "manipulated_sequences"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "FaceForensics++",
    what: "1,000 YouTube videos manipulated by Deepfakes, Face2Face, FaceSwap, NeuralTextures and FaceShifter, and the "
      + "DeepFakeDetection set of actors; raw, c23 and c40.",
    use: "The usual training set of face detectors; no usable sound. Put the official splits/{train,val,test}.json of "
      + "its repository into the folder, or the official parts stay unknown.",
    layout: [
      "original_sequences/{youtube,actors}/{raw,c23,c40}/videos/*.mp4",
      "manipulated_sequences/<method>/{raw,c23,c40}/videos/*.mp4", "splits/{train,val,test}.json",
    ],
    size: "2 GB (c40), 10 GB (c23), 500 GB (raw)", licence: "FaceForensics terms of use, on request",
    source: "https://github.com/ondyari/FaceForensics",
    published: [
      .init("one compression, youtube and four methods", real: 1000, fake: 4000),
      .init("its test part", real: 140, fake: 560),
    ])

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    let splits = try Self.splits(tree)
    var list = SampleList(tree, extra: ["compression"])
    for (folder, label) in [("original_sequences", Label.real), ("manipulated_sequences", .fake)] {
      for method in tree.names(in: folder) {
        let isActors = method == "actors" || method == "DeepFakeDetection"
        for compression in tree.names(in: "\(folder)/\(method)") {
          for path in try tree.media(below: "\(folder)/\(method)/\(compression)/videos", .video) {
            // 071.mp4, 071_054.mp4; of actors 01__walking.mp4, 01_02__walking__ABCDEFGH.mp4.
            let people = (isActors ? path.stem.split(separator: "__")[0] : path.stem[...])
              .split(separator: "_").map { isActors ? "actor-\($0)" : String($0) }
            try list.add(path, label) { sample in
              sample.identity = people.first
              sample.source = people.count > 1 ? people[1] : nil
              sample.type = label == .fake ? method : ""
              sample.split = people.first.flatMap { splits[$0] }
              sample.extra = [compression == "c0" ? "raw" : compression]
            }
          }
        }
      }
    }
    return list
  }

  // The part of each id, from lists of pairs; empty when the lists are not there.
  static func splits(_ tree: OfficialTree) throws -> [String: String] {
    var parts: [String: String] = [:]
    for (file, part) in [("train", "train"), ("val", "validation"), ("test", "test")] {
      guard let path = tree.first(["splits/\(file).json", "\(file).json", "dataset/splits/\(file).json"]) else {
        continue
      }
      for pair in try tree.json(path, as: [[String]].self) {
        for id in pair {
          guard parts.updateValue(part, forKey: id).map({ $0 == part }) ?? true else {
            throw DatasetError(path, "video \(id) is in two parts; take the official lists")
          }
        }
      }
    }
    return parts
  }
}
