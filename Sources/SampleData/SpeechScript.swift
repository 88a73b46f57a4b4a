// What is said: two short phrases of invented syllables, as tracks that the synthesiser and the mouth both follow.

import Glibc

/// Control tracks of one recording, one value every 5 ms.
struct SpeechScript {
  static let sampleRate = 16_000
  static let sampleCount = 32_000
  static let frameLength = 80
  static let frameCount = 400

  var pitch = [Float](repeating: 0, count: frameCount)
  var formants = [[Float]](repeating: [], count: 4)  // hertz
  var voicing = [Float](repeating: 0, count: frameCount)
  var aspiration = [Float](repeating: 0, count: frameCount)
  var frication = [Float](repeating: 0, count: frameCount)
  var fricationCentre = [Float](repeating: 4_000, count: frameCount)
  /// How far the mouth of these sounds opens, and how round the lips are, 0...1.
  var opening = [Float](repeating: 0, count: frameCount)
  var rounding = [Float](repeating: 0, count: frameCount)

  private struct Vowel { var formants: [Float], opening: Float, rounding: Float }
  private struct Consonant {
    var length: Int  // frames
    var formants: [Float]
    var voicing: Float = 0, aspiration: Float = 0, frication: Float = 0, centre: Float = 4_000
    var burst: Bool = false
    var opening: Float = 0.15, rounding: Float = 0
  }

  private static let vowels: [Vowel] = [
    Vowel(formants: [730, 1_150, 2_500, 3_400], opening: 1.0, rounding: 0.0),
    Vowel(formants: [530, 1_800, 2_500, 3_450], opening: 0.7, rounding: 0.0),
    Vowel(formants: [300, 2_250, 2_950, 3_600], opening: 0.4, rounding: 0.0),
    Vowel(formants: [480, 880, 2_450, 3_300], opening: 0.65, rounding: 0.8),
    Vowel(formants: [320, 800, 2_300, 3_250], opening: 0.35, rounding: 1.0),
    Vowel(formants: [500, 1_450, 2_450, 3_400], opening: 0.55, rounding: 0.1),
    Vowel(formants: [660, 1_700, 2_450, 3_450], opening: 0.9, rounding: 0.0),
  ]

  private static let consonants: [Consonant] = [
    Consonant(length: 22, formants: [350, 1_700, 2_600, 3_500], frication: 0.9, centre: 5_600, opening: 0.2),
    Consonant(length: 22, formants: [350, 1_800, 2_500, 3_500], frication: 0.8, centre: 3_300, rounding: 0.6),
    Consonant(length: 20, formants: [350, 1_200, 2_400, 3_400], frication: 0.35, centre: 6_300, opening: 0.08),
    Consonant(length: 14, formants: [300, 1_700, 2_600, 3_500], frication: 0.8, centre: 4_500, burst: true),
    Consonant(length: 14, formants: [300, 1_500, 2_200, 3_300], frication: 0.7, centre: 2_200, burst: true),
    Consonant(length: 14, formants: [300, 800, 2_200, 3_300], frication: 0.4, centre: 1_200, burst: true, opening: 0),
    Consonant(length: 14, formants: [280, 1_000, 2_200, 3_300], voicing: 0.45, opening: 0),
    Consonant(length: 14, formants: [280, 1_600, 2_500, 3_400], voicing: 0.45, opening: 0.2),
    Consonant(length: 12, formants: [360, 1_200, 2_700, 3_400], voicing: 0.65, opening: 0.35),
    Consonant(length: 12, formants: [320, 750, 2_200, 3_300], voicing: 0.65, opening: 0.2, rounding: 0.9),
    Consonant(length: 14, formants: [300, 1_600, 2_500, 3_500], voicing: 0.3, frication: 0.35, centre: 5_300),
    Consonant(length: 12, formants: [500, 1_500, 2_500, 3_400], aspiration: 0.5, opening: 0.5),
  ]

  /// Words of `take`, in the voice of `identity`.
  init(seed: UInt64, pair: Int, recording: SampleClip.Recording, identity: SampleIdentity) {
    var r = Randomness(seed: seed, "words", pair, recording.member, recording.take)
    formants = [500, 1_500, 2_500, 3_400].map { [Float](repeating: $0, count: SpeechScript.frameCount) }
    let starts = [Int(r.uniform(30, 56)), 200 + Int(r.uniform(13, 21))]
    let ends = [200 - Int(r.uniform(13, 24)), 400 - Int(r.uniform(24, 52))]
    for phrase in 0..<2 {
      let start = starts[phrase], end = ends[phrase]
      let syllables = max(2, Int((Float(end - start) / 200 * identity.syllableRate).rounded()))
      let edges = (0...syllables).map { i -> Int in
        let even = start + (end - start) * i / syllables
        return i == 0 || i == syllables ? even : even + Int(r.uniform(-4, 5))
      }
      for i in 0..<syllables { say(from: edges[i], to: edges[i + 1], &r) }
      intone(from: start, to: end, syllables, identity, &r)
    }
    for k in 0..<4 { formants[k] = smoothed(formants[k].map { $0 * identity.formantScale }, radius: 5) }
    voicing = smoothed(voicing, radius: 2)
    aspiration = smoothed(aspiration, radius: 2)
    frication = smoothed(frication, radius: 1)
    opening = smoothed(opening, radius: 6)
    rounding = smoothed(rounding, radius: 8)
  }

  private mutating func say(from start: Int, to end: Int, _ r: inout Randomness) {
    let vowel = SpeechScript.vowels[r.index(SpeechScript.vowels.count)]
    let consonant = SpeechScript.consonants[r.index(SpeechScript.consonants.count)]
    let onset = min(consonant.length, (end - start) / 2)
    let stress = r.uniform(0.75, 1)
    for t in start..<end {
      let inOnset = t < start + onset
      for k in 0..<4 { formants[k][t] = inOnset ? consonant.formants[k] : vowel.formants[k] }
      opening[t] = inOnset ? consonant.opening : vowel.opening * stress
      rounding[t] = inOnset ? consonant.rounding : vowel.rounding
      guard inOnset else {
        // Vowels swell and fade inside the syllable.
        let x = Float(t - start - onset) / Float(max(1, end - start - onset))
        voicing[t] = stress * (0.55 + 0.45 * sinf(.pi * min(1, x + 0.2)))
        continue
      }
      fricationCentre[t] = consonant.centre
      voicing[t] = consonant.voicing
      aspiration[t] = consonant.aspiration
      if consonant.burst {  // closure, burst, breath
        let fromEnd = start + onset - t
        frication[t] = fromEnd <= 5 && fromEnd > 2 ? consonant.frication : 0
        aspiration[t] = fromEnd <= 4 ? 0.25 : 0
        opening[t] = fromEnd <= 3 ? 0.2 : 0
      } else {
        frication[t] = consonant.frication
      }
    }
  }

  /// A falling line with an accent on each syllable, and a slow wander.
  private mutating func intone(
    from start: Int, to end: Int, _ syllables: Int, _ identity: SampleIdentity, _ r: inout Randomness
  ) {
    let base = identity.pitch * r.uniform(0.94, 1.06), fall = r.uniform(0.08, 0.22)
    let accent = r.uniform(0.04, 0.14), phase = r.uniform(0, 6.28), rise = r.chance(0.25) ? r.uniform(0.1, 0.25) : 0
    for t in start..<end {
      let x = Float(t - start) / Float(end - start)
      let swing = accent * sinf(2 * .pi * Float(syllables) * x * 0.5 + phase)
      pitch[t] = base * (1 + fall * (0.5 - x) + swing + rise * max(0, x - 0.75) * 4)
    }
  }
}

/// Running mean over `2 * radius + 1` frames, twice, so that corners are round.
func smoothed(_ values: [Float], radius: Int) -> [Float] {
  var result = values
  for _ in 0..<2 {
    let from = result
    for i in from.indices {
      let low = max(0, i - radius), high = min(from.count - 1, i + radius)
      var sum: Float = 0
      for j in low...high { sum += from[j] }
      result[i] = sum / Float(high - low + 1)
    }
  }
  return result
}
