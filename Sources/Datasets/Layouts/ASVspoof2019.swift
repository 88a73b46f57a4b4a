/// ASVspoof 2019, logical access: protocol lines `SPEAKER FILE - SYSTEM KEY`.
public struct ASVspoof2019: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "asvspoof2019-la"
  /// What shows that a folder is this set.
  public let marks = ["LA/ASVspoof2019_LA_cm_protocols", "ASVspoof2019_LA_cm_protocols"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "ASVspoof 2019 LA",
    what: "Synthetic and converted speech of 19 systems (A01-A19) beside bona fide VCTK recordings; 107 speakers.",
    use: "The usual training set of voice detectors. Attacks of the evaluation part are not in training. In train and "
      + "dev all bona fide lines come first: shuffle before sharding.",
    layout: [
      "LA/ASVspoof2019_LA_{train,dev,eval}/flac/*.flac",
      "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.{train.trn,dev.trl,eval.trl}.txt",
    ],
    size: "about 7 GB", licence: "ODC-By", source: "https://datashare.ed.ac.uk/handle/10283/3336",
    classes: [.init(.audio, real: 12_483, fake: 108_978)],
    published: [
      .init("train", real: 2580, fake: 22800, where: ["split": "train"]),
      .init("validation", real: 2548, fake: 22296, where: ["split": "validation"]),
      .init("test", real: 7355, fake: 63882, where: ["split": "test"]),
    ])

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    let base = tree.has("LA") ? "LA/" : ""
    var list = SampleList(tree)
    for (part, split, ending) in [
      ("train", "train", "train.trn"), ("dev", "validation", "dev.trl"), ("eval", "test", "eval.trl"),
    ] {
      let path = "\(base)ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.\(ending).txt"
      guard tree.has(path) else { continue }
      for (line, words) in try tree.lines(path, columns: 5) {
        let label = try tree.label(words[4], path, line)
        try list.add("\(base)ASVspoof2019_LA_\(part)/flac/\(words[1]).flac", label) { sample in
          // The speaker is the same one in the 2021 evaluation.
          sample.identity = "@asvspoof/\(words[0])"
          sample.type = label == .fake ? words[3] : ""
          sample.split = split
        }
      }
    }
    return list
  }
}
