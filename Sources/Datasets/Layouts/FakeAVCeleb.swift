/// FakeAVCeleb v1.2: four categories of real and fake picture and sound. `meta_data.csv` has nine names and ten values:
/// `path` is the file name and the unnamed last one the folder. The second identity of a swap is in the file name.
public struct FakeAVCeleb: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "fakeavceleb"
  /// What shows that a folder is this set.
  public let marks = ["FakeAVCeleb/RealVideo-RealAudio", "RealVideo-RealAudio"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "FakeAVCeleb v1.2",
    what: "500 real clips of 500 people and 21,044 fakes of picture (faceswap, fsgan, wav2lip), sound (rtvc), or both.",
    use:
      "Sound and picture labels for multimodal detectors; 1:42, so use class weights and AUC. No official parts. All "
      + "identities form ten groups of 50, which are race and gender cells: folds without shared people are folds by "
      + "cell. The field divides by the first person alone (`--group identity`), and then most test files "
      + "name a person of training. Fakes begin with a short silence that tells the classes: trim it.",
    layout: ["{Real,Fake}Video-{Real,Fake}Audio/<race>/<gender>/<id>/*.mp4", "meta_data.csv"],
    size: "about 6 GB", licence: "on request, research only", source: "https://github.com/DASH-Lab/FakeAVCeleb",
    classes: [.init(.audio, real: 10_209, fake: 11_335), .init(.video, real: 1000, fake: 20_544)],
    published: [
      .init("all", real: 500, fake: 21_044),
      .init("RealVideo-FakeAudio", real: 0, fake: 500, where: ["category": "RealVideo-FakeAudio"]),
      .init("FakeVideo-RealAudio", real: 0, fake: 9709, where: ["category": "FakeVideo-RealAudio"]),
      .init("FakeVideo-FakeAudio", real: 0, fake: 10_835, where: ["category": "FakeVideo-FakeAudio"]),
    ])

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    let base = tree.has("FakeAVCeleb/RealVideo-RealAudio") ? "FakeAVCeleb/" : ""
    var list = SampleList(tree, extra: ["category", "race", "gender"])
    let table = tree.first(["\(base)meta_data.csv", "meta_data.csv"])
    if let table {
      try tree.table(table) { line, row in
        let folder = try row("").split(separator: "/").drop { $0 == "FakeAVCeleb" }.joined(separator: "/")
        let path = Self.spelt(base + folder + "/" + (try row("path")), tree)
        try Self.add(path, method: try row("method"), other: try row("target1"), to: &list, base) {
          tree.problem(table, line, $0)
        }
      }
    } else {
      for path in try tree.media(below: base.isEmpty ? "" : "FakeAVCeleb", .video) {
        try Self.add(path, method: nil, other: "", to: &list, base) { tree.problem($0) }
      }
    }
    return list
  }

  private static func add(
    _ path: String, method: String?, other: String, to list: inout SampleList, _ base: String,
    _ problem: (String) -> DatasetError
  ) throws {
    let parts = path.dropFirst(base.count).split(separator: "/").map(String.init)
    guard parts.count == 5, let category = categories[parts[0]] else {
      throw problem("\(path) is not CATEGORY/RACE/GENDER/ID/FILE with one of the four categories")
    }
    // A method names whom the face or voice was taken from as target1, the file name as ..._id10001_...
    let named = (path.stem.split(separator: "_").map(String.init) + [other]).filter { isIdentity($0) && $0 != parts[3] }
    try list.add(path, category == (.real, .real) ? .real : .fake) { sample in
      (sample.visualLabel, sample.audioLabel) = category
      // The ids are VoxCeleb2's, and mean the same people in other sets made from it.
      sample.identity = "@voxceleb2/\(parts[3])"
      sample.source = named.isEmpty ? nil : Set(named).sorted().map { "@voxceleb2/\($0)" }.joined(separator: ";")
      sample.type = sample.label == .real ? "" : method ?? parts[0]
      sample.extra = [parts[0], normal(parts[1]), parts[2]]
    }
  }

  private static let categories: [String: (picture: Label, sound: Label)] = [
    "RealVideo-RealAudio": (.real, .real), "RealVideo-FakeAudio": (.real, .fake), "FakeVideo-RealAudio": (.fake, .real),
    "FakeVideo-FakeAudio": (.fake, .fake),
  ]

  /// Whether a name has the form of VoxCeleb2's people: id00012.
  static func isIdentity(_ text: String) -> Bool {
    text.hasPrefix("id") && text.utf8.count > 2 && text.dropFirst(2).allSatisfy(\.isNumber)
  }

  // Races are spelt "Asian (East)" in some copies and "Asian_East" in others.
  private static func normal(_ race: String) -> String {
    race.replacing(" (", with: "_").replacing(")", with: "")
  }

  private static func spelt(_ path: String, _ tree: OfficialTree) -> String {
    if tree.has(path) { return path }
    let other = normal(path)
    return tree.has(other) ? other : path
  }
}
