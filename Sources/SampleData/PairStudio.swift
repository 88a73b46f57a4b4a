// Makes the twelve clips of one pair: four recordings, and from each recording one real clip and two fakes.

/// One pair of identities, and everything that may be borrowed between them.
struct PairStudio {
  let seed: UInt64
  let pair: Int
  let clips: [SampleClip]
  let faults: Set<SampleFault>

  private let recordings: [Recording]

  init(seed: UInt64, pair: Int, clips: [SampleClip], faults: Set<SampleFault> = []) {
    self.faults = faults
    (self.seed, self.pair, self.clips) = (seed, pair, clips)
    recordings = (0..<4).map {
      Recording(seed: seed, pair: pair, id: SampleClip.Recording(member: $0 / 2, take: $0 % 2))
    }
  }

  /// Makes every clip and hands on its file; clips of one recording follow each other, so that it is drawn once.
  func make(_ finish: (SampleClip, [UInt8]) throws -> Void) throws {
    for recording in recordings {
      let pictures = recording.pictures()
      for clip in clips where clip.recording == recording.id {
        let shown = clip.manipulation?.changesPicture == true ? recording.swapped(pictures, clip) : pictures
        try finish(clip, ClipEncoder.encode(shown, sound(of: clip), size: size(of: recording.id), name: clip.name))
      }
    }
  }

  /// What is heard in a clip.
  func sound(of clip: SampleClip) -> [Float] {
    var sound = faultless(clip)
    if faults.contains(.leadingSilence), clip.manipulation != nil {
      for index in 0..<Int(SampleFault.silence * 16_000) { sound[index] = 0 }
    }
    return sound
  }

  private func faultless(_ clip: SampleClip) -> [Float] {
    let recording = recordings[clip.recording.index]
    if let borrowed = clip.borrowedSound { return recording.dubbed(with: recordings[borrowed.index].speech, clip) }
    return clip.manipulation?.changesVoice == true ? recording.vocoded(clip) : recording.speech.samples
  }

  /// Drawn per recording, so that a fake's file is as large as its source's.
  private func size(of recording: SampleClip.Recording) -> Int {
    var chance = Randomness(seed: seed, "size", pair, recording.index)
    return ClipEncoder.fileSizes.lowerBound + chance.index(ClipEncoder.fileSizes.count)
  }
}
