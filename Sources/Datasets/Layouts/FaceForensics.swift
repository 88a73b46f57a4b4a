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
      "original_sequences/{youtube,actors}/{raw,c23,c40}/videos/*.mp4 (c0 for raw; images/<video>/*.png without videos)",
      "manipulated_sequences/<method>/{raw,c23,c40}/videos/*.mp4", "splits/{train,val,test}.json",
    ],
    size: "2 GB (c40), 10 GB (c23), 500 GB (raw)", licence: "FaceForensics terms of use, on request",
    source: "https://github.com/ondyari/FaceForensics",
    classes: [.init(.image, real: 1000, fake: 4000), .init(.video, real: 1000, fake: 4000)],
    published: [
      .init("youtube", real: 1000, fake: 0, where: ["sequence": "youtube"], each: "compression"),
      // Published later, and no part of the four methods that most results are of.
      .init("actors", real: 363, fake: 0, where: ["sequence": "actors"], each: "compression", isAddition: true),
    ]
      + methods.map {
        .init(
          $0, real: 0, fake: $0 == "DeepFakeDetection" ? 3068 : 1000, where: ["sequence": $0], each: "compression",
          isAddition: additions.contains($0))
      } + [
        .init(
          "test part of youtube", real: 140, fake: 0, where: ["sequence": "youtube", "split": "test"],
          each: "compression")
      ]
      + methods.dropLast().map {
        .init(
          "test part of \($0)", real: 0, fake: 140, where: ["sequence": $0, "split": "test"], each: "compression",
          isAddition: additions.contains($0))
      })

  private static let methods = [
    "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter", "DeepFakeDetection",
  ]

  private static let additions = ["FaceShifter", "DeepFakeDetection"]

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    let splits = try Self.splits(tree)
    var list = SampleList(tree, extra: ["compression", "sequence"])
    for (folder, label) in [("original_sequences", Label.real), ("manipulated_sequences", .fake)] {
      for method in tree.names(in: folder) {
        let isActors = method == "actors" || method == "DeepFakeDetection"
        // Masks lie beside the compressions, and are no fakes.
        for compression in ["raw", "c0", "c23", "c40"] {
          let base = "\(folder)/\(method)/\(compression)"
          let videos = try tree.media(below: "\(base)/videos", .video)
          // Where only extracted frames were kept, each is a picture: images/<video>/0000.png.
          for path in videos.isEmpty ? try tree.media(below: "\(base)/images", .image) : videos {
            let video = videos.isEmpty ? path.split(separator: "/").dropLast().last.map(String.init) ?? "" : path.stem
            let people = Self.people(video, isActors: isActors)
            try list.add(path, label) { sample in
              sample.identity = people.first.map { Self.person($0) }
              sample.source = people.count > 1 ? Self.person(people[1]) : nil
              sample.type = label == .fake ? method : ""
              sample.split = people.first.flatMap { splits[$0] }
              sample.extra = [compression == "c0" ? "raw" : compression, method]
            }
          }
        }
      }
    }
    return list
  }

  /// Names that mean the same in other sets made from these videos.
  static func person(_ id: String) -> String { "@faceforensics/\(id)" }

  // 071, 071_054; of actors 01__walking, 01_02__walking__ABCDEFGH.
  private static func people(_ video: String, isActors: Bool) -> [String] {
    let names = isActors ? video.split(separator: "__").first ?? "" : video[...]
    return names.split(separator: "_").map { isActors ? "actor-\($0)" : String($0) }
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
