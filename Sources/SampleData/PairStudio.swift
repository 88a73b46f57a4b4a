// Makes the twelve clips of one pair: four recordings, and from each recording one real clip and two fakes.

/// One pair of identities, and everything that may be borrowed between them.
struct PairStudio {
  let seed: UInt64
  let pair: Int
  let clips: [SampleClip]

  /// Makes every clip and hands on its file; clips of one recording follow each other, so that it is drawn once.
  func make(_ finish: (SampleClip, [UInt8]) throws -> Void) throws {
    let recordings = (0..<4).map {
      Recording(seed: seed, pair: pair, id: SampleClip.Recording(member: $0 / 2, take: $0 % 2))
    }
    for recording in recordings {
      let pictures = recording.pictures()
      // Drawn per recording, so that a fake's size is its source's.
      var chance = Randomness(seed: seed, "size", pair, recording.id.index)
      let size = ClipEncoder.fileSizes.lowerBound + chance.index(ClipEncoder.fileSizes.count)
      for clip in clips where clip.recording == recording.id {
        let kind = clip.manipulation
        let shown = kind?.changesPicture == true ? recording.swapped(pictures, clip) : pictures
        let sound: [Float]
        if let borrowed = clip.borrowedSound {
          sound = recording.dubbed(with: recordings[borrowed.index].speech, clip)
        } else {
          sound = kind?.changesVoice == true ? recording.vocoded(clip) : recording.speech.samples
        }
        try finish(clip, ClipEncoder.encode(shown, sound, size: size, name: clip.name))
      }
    }
  }
}
