// The manifest of the set, by the contract of data set manifests, and the page that a person reads first.

/// Text files of the set.
enum SampleManifest {
  static let columns = [
    "path", "label", "type", "audio_label", "visual_label", "identity", "source", "group", "dataset", "intervals",
  ]

  /// One row a clip, in the order of their numbers.
  static func text(_ clips: [SampleClip], faults: Set<SampleFault> = []) -> String {
    let isSplit = faults.contains(.identityLeak)
    var lines = [(columns + (isSplit ? ["split"] : [])).joined(separator: ",")]
    for clip in clips {
      let kind = clip.manipulation
      let pair = clip.pair < 9 ? "0\(clip.pair + 1)" : "\(clip.pair + 1)"
      lines.append(
        [
          "clips/\(clip.name).mp4", kind == nil ? "real" : "fake", kind?.rawValue ?? "",
          kind?.changesVoice == true ? "fake" : "real", kind?.changesPicture == true ? "fake" : "real",
          "person-\(pair)\(clip.recording.member == 0 ? "a" : "b")", SampleClip.name(clip.source), "pair-\(pair)",
          "sample", clip.interval.map { "\(seconds($0.lowerBound))-\(seconds($0.upperBound))" } ?? "",
        ].joined(separator: ",") + (isSplit ? clip.number % 5 == 0 ? ",test" : ",train" : ""))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Two decimals, which a whole number of pictures always is.
  private static func seconds(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded()), rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
  }

  static func page(clips: Int, seed: UInt64, faults: Set<SampleFault> = []) -> String {
    let planted = SampleFault.allCases.filter(faults.contains).map { "\nPlanted fault: \($0.rawValue)." }.joined()
    return """
      The sample data set of Unmask, version \(SampleDataSet.version): \(clips) clips, seed \(seed).

      Two seconds each, 160 x 160 pixels, 25 pictures a second, H.264 and AAC (16 kHz, mono). Nobody in them exists: the
      heads are drawn and the speech is synthesised. One clip in three is real. The fakes are of four kinds (column `type`
      of manifest.csv): `face` (the face of the pair's other person blended in), `voice` (the voice through a vocoder,
      towards the other person's), `face+voice`, and `lipsync` (the sound of another clip of the pair over the untouched
      picture). A third of the fakes are fake only in the interval that the manifest gives in seconds. Whatever is
      borrowed stays within a pair, so pairs are the groups; `source` names the real clip that a fake was made from.
      The same version, seed and libraries give the same bytes.\(planted)

      """
  }
}
