/// ASVspoof 5: ten words a line, parted by spaces although the files end in .tsv, without a header.
public struct ASVspoof5: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "asvspoof5"
  /// What shows that a folder is this set.
  public let marks = ["ASVspoof5.train.tsv", "ASVspoof5.dev.track_1.tsv", "ASVspoof5.eval.track_1.tsv"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "ASVspoof 5",
    what: "Crowd-sourced speech (MLS) with 32 attacks A01-A32, some of them adversarial, and eleven codecs.",
    use: "The largest current voice set; train, development and evaluation have different speakers and attacks.",
    layout: ["ASVspoof5.{train,dev.track_1,eval.track_1}.tsv", "flac_T/*.flac", "flac_D/*.flac", "flac_E_eval/*.flac"],
    size: "about 170 GB", licence: "ODC-By", source: "https://zenodo.org/records/14498691",
    classes: [.init(.audio, real: 188_819, fake: 815_262)],
    published: [
      .init("train", real: 18_797, fake: 163_560, where: ["split": "train"]),
      .init("validation", real: 31_334, fake: 109_616, where: ["split": "validation"]),
      .init("test", real: 138_688, fake: 542_086, where: ["split": "test"]),
    ])

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    var list = SampleList(tree, extra: ["gender", "codec"])
    for (file, folder, split) in [
      ("ASVspoof5.train.tsv", "flac_T", "train"), ("ASVspoof5.dev.track_1.tsv", "flac_D", "validation"),
      ("ASVspoof5.eval.track_1.tsv", "flac_E_eval", "test"),
    ] where tree.has(file) {
      for (line, words) in try tree.lines(file, columns: 10) {
        let label = try tree.label(words[8], file, line)
        try list.add("\(folder)/\(words[1]).flac", label) { sample in
          sample.identity = words[0]
          sample.type = label == .fake ? words[7] : ""
          sample.split = split
          sample.extra = [words[2], words[3]]
        }
      }
    }
    return list
  }
}
