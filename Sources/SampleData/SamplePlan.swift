// Which clips there are: a pure function of seed and count, known before anything is drawn.
//
// Every pair of identities has twelve clips. Each of its two people is recorded twice (four real clips), and each
// recording is the source of two fakes, as in the field's own data sets, where fakes are made from the set's real clips.
// Whatever a manipulation leaves alone is therefore the same in a fake and in its source, so that chance in light, pose,
// words or level cannot tell real from fake.

/// The four kinds of fake.
enum Manipulation: String, CaseIterable {
  case face, voice, lipsync
  case faceAndVoice = "face+voice"

  var changesPicture: Bool { self == .face || self == .faceAndVoice }
  var changesVoice: Bool { self == .voice || self == .faceAndVoice }
}

/// One clip of the set.
struct SampleClip {
  /// One of the pair's four recordings: member 0 or 1, take 0 or 1.
  struct Recording: Hashable {
    var member: Int
    var take: Int
    var index: Int { member * 2 + take }
  }

  var number: Int
  var pair: Int
  var recording: Recording
  /// `nil` for a real clip.
  var manipulation: Manipulation?
  /// The recording whose sound a lip-sync fake borrows.
  var borrowedSound: Recording?
  /// Fake part in seconds; `nil` when the whole clip is fake, or none of it.
  var interval: ClosedRange<Double>?
  /// The number of the real clip that was manipulated; the clip's own when it is real.
  var source: Int

  var name: String { SampleClip.name(number) }

  static func name(_ number: Int) -> String {
    let digits = String(number)
    return "clip-" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}

/// The clips of a data set.
enum SamplePlan {
  static let clipsPerPair = 12
  static let duration = 2.0
  /// Every recording is silent around this time, so that sound can be exchanged there without a seam.
  static let pause = 1.0

  /// The twelve clips of one pair, in the order of their numbers.
  static func clips(ofPair pair: Int, seed: UInt64) -> [SampleClip] {
    var random = Randomness(seed: seed, "plan", pair)
    var clips: [SampleClip] = []
    for member in 0..<2 {
      // Which two kinds are made from which take alternates over the pairs, so that no kind depends on a take.
      var kinds: [Manipulation] = [
        [.face, .lipsync, .voice, .faceAndVoice], [.face, .voice, .lipsync, .faceAndVoice],
        [.face, .faceAndVoice, .voice, .lipsync],
      ][(pair + member) % 3]
      if random.chance(0.5) { kinds = [kinds[2], kinds[3], kinds[0], kinds[1]] }
      for take in 0..<2 {
        let recording = SampleClip.Recording(member: member, take: take)
        clips.append(clip(pair, recording, nil, false, &random))
        for kind in kinds[(take * 2)..<(take * 2 + 2)] {
          // Over three pairs, each kind's six fakes have exactly two that are fake only in part.
          let offset = Manipulation.allCases.firstIndex(of: kind)!
          clips.append(clip(pair, recording, kind, (pair * 2 + member + offset) % 3 == 0, &random))
        }
      }
    }
    random.shuffle(&clips)  // a clip's number says nothing about it
    for i in clips.indices { clips[i].number = pair * clipsPerPair + i }
    for i in clips.indices {
      clips[i].source = clips.first { $0.manipulation == nil && $0.recording == clips[i].recording }!.number
    }
    return clips
  }

  private static func clip(
    _ pair: Int, _ recording: SampleClip.Recording, _ kind: Manipulation?, _ isPartial: Bool,
    _ random: inout Randomness
  ) -> SampleClip {
    var interval: ClosedRange<Double>?
    if isPartial, kind == .lipsync {
      interval = random.chance(0.5) ? 0...pause : pause...duration
    } else if isPartial {
      let frames = 20 + random.index(11)  // 0.8 to 1.2 seconds
      let first = random.index(50 - frames + 1)
      interval = Double(first) / 25...Double(first + frames) / 25
    }
    var borrowed: SampleClip.Recording?
    if kind == .lipsync {
      let others = [0, 1, 2, 3].filter { $0 != recording.index }
      let index = others[random.index(3)]
      borrowed = SampleClip.Recording(member: index / 2, take: index % 2)
    }
    return SampleClip(
      number: 0, pair: pair, recording: recording, manipulation: kind, borrowedSound: borrowed, interval: interval,
      source: 0)
  }
}
