/// Celeb-DF v2 (and v1): three folders and the list of test videos, in which **1 means real**.
public struct CelebDF: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "celeb-df"
  /// What shows that a folder is this set.
  public let marks = ["Celeb-synthesis", "Celeb-real"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "Celeb-DF v2",
    what: "Face swaps among 59 celebrities, of better quality than most of FaceForensics++.",
    use: "The usual test of generalisation. Its official test list shares people with the rest by design; nearly all "
      + "people are joined by swaps, so k folds without shared people are not possible: use the official parts.",
    layout: [
      "Celeb-real/idA_NNNN.mp4", "YouTube-real/NNNNN.mp4", "Celeb-synthesis/idA_idB_NNNN.mp4",
      "List_of_testing_videos.txt",
    ],
    size: "about 10 GB", licence: "on request, research only",
    source: "https://github.com/yuezunli/celeb-deepfakeforensics",
    classes: [.init(.image, real: 890, fake: 5639), .init(.video, real: 890, fake: 5639)],
    published: [
      .init("all", real: 890, fake: 5639), .init("train", real: 712, fake: 5299, where: ["split": "train"]),
      .init("test", real: 178, fake: 340, where: ["split": "test"]),
    ])

  /// The reader.
  public init() {}

  private static let folders: [(name: String, label: Label)] = [
    ("Celeb-real", .real), ("YouTube-real", .real), ("Celeb-synthesis", .fake),
  ]

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    let listName = "List_of_testing_videos.txt"
    var tests: [String] = []
    if tree.has(listName) {
      for (line, words) in try tree.lines(listName, columns: 2) {
        guard let folder = Self.folders.first(where: { words[1].hasPrefix($0.name + "/") }),
          ["0", "1"].contains(words[0])
        else { throw tree.problem(listName, line, "expected 1 or 0 and a path in one of the three folders") }
        guard (words[0] == "1") == (folder.label == .real) else {
          throw tree.problem(listName, line, "\(words[1]) is marked \(words[0]); in the official list 1 means real")
        }
        tests.append(words[1])
      }
    }
    let isTest = Set(tests)
    var list = SampleList(tree)
    for (folder, label) in Self.folders {
      let present = try tree.media(below: folder, .video)
      // Test videos that are not there stay in the list, to be reported as missing.
      for path in Set(present + tests.filter { $0.hasPrefix(folder + "/") }).sorted() {
        let people = path.stem.split(separator: "_").filter { $0.hasPrefix("id") }.map(String.init)
        try list.add(path, label) { sample in
          sample.identity = people.first
          sample.source = people.count > 1 ? people[1] : nil
          sample.type = label == .fake ? "faceswap" : ""
          sample.split = tests.isEmpty ? nil : isTest.contains(path) ? "test" : "train"
        }
      }
    }
    return list
  }
}
