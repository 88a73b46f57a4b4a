// A recording is what the camera and the microphone of the sample took of one person once; clips are made from it.

import Glibc

/// One of a pair's four recordings, and what a manipulation makes of it.
struct Recording {
  let seed: UInt64
  let pair: Int
  let id: SampleClip.Recording
  let person: SampleIdentity
  let partner: SampleIdentity
  let speech: RecordedSpeech
  private let take: Take

  init(seed: UInt64, pair: Int, id: SampleClip.Recording) {
    self.seed = seed
    self.pair = pair
    self.id = id
    person = SampleIdentity(seed: seed, pair: pair, member: id.member)
    partner = SampleIdentity(seed: seed, pair: pair, member: 1 - id.member)
    speech = SpeechSynthesizer.speech(seed: seed, pair: pair, recording: id, identity: person)
    take = Take(seed: seed, pair: pair, recording: id, mouth: speech.mouth)
  }

  // MARK: - Pictures

  /// The fifty pictures as the camera took them.
  func pictures() -> [Canvas] {
    let room = take.room()
    var noise = Randomness(seed: seed, "sensor", pair, id.member, id.take)
    return (0..<Take.pictureCount).map { i in
      picture(of: person, on: room, i, light: take.light, &noise)
    }
  }

  private func picture(
    of who: SampleIdentity, on room: Canvas, _ i: Int, light: SIMD2<Float>, _ noise: inout Randomness
  ) -> Canvas {
    var canvas = room
    let expression = Expression(
      opening: speech.mouth[i].opening, rounding: speech.mouth[i].rounding, blink: take.blink[i], gaze: take.gaze[i])
    HeadPainter(who, take.poses[i], expression, light: light, strength: take.lightStrength).paint(on: &canvas)
    let tint = SIMD4(take.tint * take.exposure[i], 1)
    for p in canvas.pixels.indices { canvas.pixels[p] *= tint }
    canvas.addSensorNoise(take.noise, &noise)
    return canvas
  }

  /// `pictures` with the partner's face, where the clip is fake.
  func swapped(_ pictures: [Canvas], _ clip: SampleClip) -> [Canvas] {
    var chance = Randomness(seed: seed, "swap", clip.number)
    let swap = FaceSwap(&chance)
    // The borrowed face was filmed in another light.
    let light = SIMD2(-take.light.x * chance.uniform(0.2, 1), take.light.y)
    let other = partner.fitted(to: person), room = Canvas()
    var noise = Randomness(seed: seed, "borrowed sensor", clip.number)
    return pictures.indices.map { i in
      guard clip.isFake(at: (Double(i) + 0.5) / 25) else { return pictures[i] }
      let borrowed = picture(of: other, on: room, i, light: light, &noise)
      var result = pictures[i]
      let pose = take.poses[i]
      swap.blend(
        borrowed, into: &result, pose: pose, cosine: cosf(pose.roll), sine: sinf(pose.roll), &chance)
      return result
    }
  }

  // MARK: - Sound

  /// The recording's own sound through the vocoder, where the clip is fake, nearer to the partner's voice.
  func vocoded(_ clip: SampleClip) -> [Float] {
    var chance = Randomness(seed: seed, "vocoder", clip.number)
    // Half of the way to the partner in pitch and formants.
    let spoken = Vocoder(quality: chance.uniform(0, 1)).resynthesize(
      speech.samples, pitchRatio: (partner.pitch / person.pitch).squareRoot(),
      formantRatio: (partner.formantScale / person.formantScale).squareRoot(), &chance)
    let voice = SpeechSynthesizer.scaled(spoken, to: speech.level)
    return SpeechSynthesizer.scaled(joined(speech.samples, whereLoud(voice), clip), to: speech.level)
  }

  /// `voice` where the recording speaks, and the recording's own room between the words: a fake has no other silence.
  private func whereLoud(_ voice: [Float]) -> [Float] {
    let length = SpeechScript.frameLength
    var share = (0..<SpeechScript.frameCount).map { t -> Float in
      let frame = speech.samples[(t * length)..<((t + 1) * length)]
      let power = frame.reduce(0) { $0 + $1 * $1 } / Float(length)
      return smoothStep(-34, -26, 10 * log10f(power / (speech.level * speech.level) + 1e-9))
    }
    share = smoothed(share, radius: 2)
    return voice.indices.map { n in
      let x = share[n / length] * .pi / 2
      return speech.samples[n] * cosf(x) + voice[n] * sinf(x)
    }
  }

  /// Another recording's sound, at this recording's level, where the clip is fake.
  func dubbed(with other: RecordedSpeech, _ clip: SampleClip) -> [Float] {
    let brought = SpeechSynthesizer.scaled(other.samples, to: speech.level)
    return SpeechSynthesizer.scaled(joined(speech.samples, brought, clip), to: speech.level)
  }

  /// `fake` inside the clip's interval and `own` outside, cross-faded over 20 ms.
  private func joined(_ own: [Float], _ fake: [Float], _ clip: SampleClip) -> [Float] {
    guard let interval = clip.interval else { return fake }
    let rate = Float(SpeechScript.sampleRate)
    let start = Float(interval.lowerBound) * rate, end = Float(interval.upperBound) * rate
    return own.indices.map { n in
      let t = Float(n)
      let into = start <= 0 ? 1 : smoothStep(start - 160, start + 160, t)
      let out = interval.upperBound >= SamplePlan.duration ? 1 : 1 - smoothStep(end - 160, end + 160, t)
      let share = min(into, out)
      // Equal power: the two sounds are not in phase.
      return own[n] * cosf(share * .pi / 2) + fake[n] * sinf(share * .pi / 2)
    }
  }
}

extension SampleClip {
  /// Whether the moment belongs to the manipulated part.
  func isFake(at seconds: Double) -> Bool {
    guard manipulation != nil else { return false }
    return interval.map { $0.contains(seconds) } ?? true
  }
}
