/// ASVspoof 2021, logical access and deepfake: keys in `trial_metadata.txt`, an evaluation set for models trained on
/// 2019. The parts eval, progress and hidden keep their names; official numbers are on eval.
public struct ASVspoof2021: OfficialLayout {
  /// Which of the two tasks.
  public enum Task: String, Sendable { case la, df }

  /// The name in experiments and on the command line.
  public let name: String
  /// What shows that a folder is this set.
  public let marks: [String]
  /// What the set is, and when to use it.
  public let description: DatasetDescription
  private let task: Task

  /// The reader of a task.
  public init(_ task: Task) {
    self.task = task
    let code = task.rawValue.uppercased()
    name = "asvspoof2021-\(task.rawValue)"
    marks = ["ASVspoof2021_\(code)_eval", "keys/\(code)/CM/trial_metadata.txt"]
    description = DatasetDescription(
      title: "ASVspoof 2021 \(code)",
      what: task == .la
        ? "Attacks A07-A19 sent over telephone codecs and transmissions."
        : "Synthetic speech of 2019 and of two voice conversion challenges after compression with nine codecs.",
      use:
        "A test set: train on ASVspoof 2019. The hidden part has its silence trimmed, the organisers' own control of "
        + "that shortcut.",
      layout: ["ASVspoof2021_\(code)_eval/flac/*.flac", "keys/\(code)/CM/trial_metadata.txt (a download of its own)"],
      size: task == .la ? "about 8 GB" : "about 35 GB", licence: "ODC-By",
      source: "https://www.asvspoof.org/index2021.html",
      classes: [task == .la ? .init(.audio, real: 18_452, fake: 163_114) : .init(.audio, real: 22_617, fake: 589_212)],
      published: task == .la
        ? [
          .init("eval", real: 14_816, fake: 133_360, where: ["split": "eval"]),
          .init("progress", real: 1676, fake: 14_788, where: ["split": "progress"]),
          .init("hidden", real: 1960, fake: 14_966, where: ["split": "hidden"]),
        ]
        : [
          .init("eval", real: 14_869, fake: 519_059, where: ["split": "eval"]),
          .init("progress", real: 5768, fake: 53_557, where: ["split": "progress"]),
          .init("hidden", real: 1980, fake: 16_596, where: ["split": "hidden"]),
        ])
  }

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    let code = task.rawValue.uppercased()
    let path = try tree.require(
      [
        "keys/\(code)/CM/trial_metadata.txt", "keys/CM/trial_metadata.txt", "\(code)/CM/trial_metadata.txt",
        "ASVspoof2021_\(code)_eval/keys/CM/trial_metadata.txt", "trial_metadata.txt",
      ], "the key file with the labels")
    var list = SampleList(
      tree, extra: task == .la ? ["codec", "transmission", "trim"] : ["codec", "corpus", "trim", "vocoder"])
    for (line, words) in try tree.lines(path, columns: task == .la ? 8 : 13) {
      let label = try tree.label(words[5], path, line)
      try list.add("ASVspoof2021_\(code)_eval/flac/\(words[1]).flac", label) { sample in
        // Speakers LA_… are those of ASVspoof 2019.
        sample.identity = words[0].hasPrefix("LA_") ? "@asvspoof/\(words[0])" : words[0]
        sample.type = label == .fake ? words[4] : ""
        sample.split = words[7]
        sample.extra = [words[2], words[3], words[6]] + (task == .df ? [words[8]] : [])
      }
    }
    return list
  }
}
