/// WaveFake: one folder a vocoder, no list and no real speech; LJSpeech and JSUT lie beside it. The sentence, by its
/// number in the file name, is the source: it exists in the recording and in every vocoder's folder.
public struct WaveFake: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "wavefake"
  /// What shows that a folder is this set.
  public let marks = vocoders.flatMap { ["generated_audio/\($0)", $0] }
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "WaveFake",
    what: "LJSpeech and JSUT sentences rebuilt by seven vocoders, and one text-to-speech set; single speakers.",
    use: "Vocoder artefacts. It has no real speech itself: put LJSpeech-1.1 and jsut_ver1.1 beside generated_audio. "
      + "Sampling rates differ, which is a shortcut unless everything is resampled.",
    layout: ["generated_audio/<corpus>_<vocoder>/*.wav", "LJSpeech-1.1/wavs/*.wav", "jsut_ver1.1/basic5000/wav/*.wav"],
    size: "about 30 GB", licence: "CC BY-SA 4.0", source: "https://zenodo.org/records/5642694",
    classes: [.init(.audio, real: 16_283, fake: 117_985)],
    published: [.init("generated_audio", real: 0, fake: 117_985, where: ["label": "fake"])])

  private static let vocoders = [
    "ljspeech_melgan", "ljspeech_melgan_large", "ljspeech_parallel_wavegan", "ljspeech_multi_band_melgan",
    "ljspeech_full_band_melgan", "ljspeech_hifiGAN", "ljspeech_waveglow", "jsut_multi_band_melgan",
    "jsut_parallel_wavegan", "common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech",
  ]

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    var list = SampleList(tree)
    let folders =
      tree.has("generated_audio")
      ? tree.names(in: "generated_audio").map { "generated_audio/\($0)" } : Self.vocoders.filter(tree.has)
    for path in folders {
      let folder = path.stem
      let corpus = folder.hasPrefix("jsut") ? "jsut" : folder.hasPrefix("ljspeech") ? "ljspeech" : "common_voices"
      for path in try tree.media(below: path, .audio) {
        try list.add(path, .fake) { sample in
          sample.type = folder
          sample.identity = nil
          sample.source = "\(corpus)/\(Self.sentence(path.stem))"
        }
      }
    }
    for (folder, corpus) in [
      ("LJSpeech-1.1/wavs", "ljspeech"), ("jsut_ver1.1/basic5000/wav", "jsut"), ("basic5000/wav", "jsut"),
    ] {
      for path in try tree.media(below: folder, .audio) {
        try list.add(path, .real) { $0.source = "\(corpus)/\(Self.sentence(path.stem))" }
      }
    }
    return list
  }

  // LJ001-0001_gen -> LJ001-0001, BASIC5000_0001_gen -> BASIC5000_0001.
  private static func sentence(_ stem: String) -> String {
    for ending in ["_generated", "_gen"] where stem.hasSuffix(ending) { return String(stem.dropLast(ending.count)) }
    return stem
  }
}
