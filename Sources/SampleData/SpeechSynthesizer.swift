// A source-filter synthesiser: glottal pulses with jitter, shimmer and breath through a cascade of formants, noise for
// consonants, a small room, and the noise of the microphone. After Klatt 1980, much reduced.

import Glibc

/// A second-order resonator with unit gain at 0 Hz, as in Klatt's cascade.
private struct Resonator {
  private var a: Float = 1, b: Float = 0, c: Float = 0, y1: Float = 0, y2: Float = 0

  mutating func tune(_ frequency: Float, _ bandwidth: Float) {
    let rate = Float(SpeechScript.sampleRate)
    let r = expf(-.pi * bandwidth / rate)
    c = -r * r
    b = 2 * r * cosf(2 * .pi * min(frequency, 7_600) / rate)
    a = 1 - b - c
  }

  @inline(__always)
  mutating func callAsFunction(_ x: Float) -> Float {
    let y = a * x + b * y1 + c * y2
    y2 = y1
    y1 = y
    return y
  }
}

/// A second-order band-pass with unit gain at its centre.
private struct BandPass {
  private var g: Float = 0, b: Float = 0, c: Float = 0
  private var x1: Float = 0, x2: Float = 0, y1: Float = 0, y2: Float = 0

  mutating func tune(_ frequency: Float, _ bandwidth: Float) {
    let rate = Float(SpeechScript.sampleRate)
    let r = expf(-.pi * bandwidth / rate)
    c = -r * r
    b = 2 * r * cosf(2 * .pi * min(frequency, 7_600) / rate)
    g = (1 - r * r) / 2
  }

  @inline(__always)
  mutating func callAsFunction(_ x: Float) -> Float {
    let y = g * (x - x2) + b * y1 + c * y2
    (x2, x1, y2, y1) = (x1, x, y1, y)
    return y
  }
}

/// What a recording sounds like, and what the mouth makes of it.
struct RecordedSpeech {
  /// 32,000 samples at 16 kHz, at the level that the clip will have.
  var samples: [Float]
  /// Root mean square that every clip made from this recording is brought to.
  var level: Float
  /// One value per picture: how far the mouth is open, and how round.
  var mouth: [(opening: Float, rounding: Float)]
}

enum SpeechSynthesizer {
  /// Speaks `script` in the voice of `identity`, in the room and through the microphone of the recording.
  static func speech(
    seed: UInt64, pair: Int, recording: SampleClip.Recording, identity: SampleIdentity
  ) -> RecordedSpeech {
    let script = SpeechScript(seed: seed, pair: pair, recording: recording, identity: identity)
    var r = Randomness(seed: seed, "voice", pair, recording.member, recording.take)
    let dry = voice(script, identity, &r)
    var wet = room(dry, &r)
    let level = powf(10, r.uniform(-30, -22) / 20)
    wet = scaled(wet, to: level)
    addMicrophone(&wet, floor: level * powf(10, r.uniform(-40, -32) / 20), &r)
    return RecordedSpeech(samples: scaled(wet, to: level), level: level, mouth: mouth(script, dry))
  }

  /// `samples` at the root mean square `level`.
  static func scaled(_ samples: [Float], to level: Float) -> [Float] {
    let power = samples.reduce(Float(0)) { $0 + $1 * $1 } / Float(samples.count)
    let gain = level / max(power.squareRoot(), 1e-9)
    return samples.map { $0 * gain }
  }

  private static func voice(_ script: SpeechScript, _ identity: SampleIdentity, _ r: inout Randomness) -> [Float] {
    var voiced = [Float](repeating: 0, count: SpeechScript.sampleCount), hissed = voiced
    var resonators = [Resonator](repeating: Resonator(), count: 5)
    resonators[4].tune(4_300 * identity.formantScale, 260)
    var hiss = BandPass(), hissTop = BandPass()
    var phase: Float = 0, jitter: Float = 1, shimmer: Float = 1, lowPassed: Float = 0, last: Float = 0
    let bandwidths: [Float] = [70, 95, 140, 200]
    // Throats are steadier on some days than on others.
    let jitterSize = r.uniform(0.003, 0.018), shimmerSize = r.uniform(0.02, 0.10)
    for n in 0..<SpeechScript.sampleCount {
      let t = n / SpeechScript.frameLength
      if n % SpeechScript.frameLength == 0 {
        for k in 0..<4 { resonators[k].tune(script.formants[k][t], bandwidths[k] * identity.formantScale) }
        hiss.tune(script.fricationCentre[t], 1_300)
        hissTop.tune(script.fricationCentre[t] * 1.25, 2_200)
      }
      let voicing = script.voicing[t], f0 = script.pitch[t] > 0 ? script.pitch[t] : identity.pitch
      phase += f0 * jitter / Float(SpeechScript.sampleRate)
      if phase >= 1 {
        phase -= 1
        jitter = 1 + jitterSize * r.normal()
        shimmer = 1 + shimmerSize * r.normal()
      }
      // Derivative of the KLGLOTT88 flow: 2x - 3x² over the open six tenths of the period.
      let x = phase / 0.6
      let pulse = x < 1 ? (2 * x - 3 * x * x) * shimmer : 0
      lowPassed += (1 - identity.tilt) * (pulse - lowPassed)
      let noise = r.normal()
      // Breath is strongest while the folds are open: real voices are noisy above 3 kHz, pulse by pulse.
      let breath = noise * (identity.breathiness * voicing * (x < 1 ? 1 : 0.35) + script.aspiration[t] * 0.35)
      var y = lowPassed * voicing + breath
      for k in 0..<5 { y = resonators[k](y) }
      let friction = script.frication[t]
      hissed[n] = hiss(r.normal() * friction) + 0.6 * hissTop(r.normal() * friction)
      voiced[n] = y - 0.55 * last  // a difference for the radiation from the lips
      last = y
    }
    // Friction at its loudest is 8 dB below the voice; what that means depends on the formants of the words.
    let (voice, noise) = (loudness(voiced), loudness(hissed))
    let gain = noise > 0 ? 0.4 * voice / noise : 0
    return zip(voiced, hissed).map { $0 + gain * $1 }
  }

  /// Root mean square of the loudest tenth of the frames.
  private static func loudness(_ samples: [Float]) -> Float {
    let length = SpeechScript.frameLength * 2
    let powers = stride(from: 0, to: samples.count, by: length).map { start -> Float in
      samples[start..<(start + length)].reduce(0) { $0 + $1 * $1 } / Float(length)
    }.sorted(by: >)
    let count = powers.count / 10
    return (powers.prefix(count).reduce(0, +) / Float(count)).squareRoot()
  }

  /// A few early reflections and a short tail.
  private static func room(_ dry: [Float], _ r: inout Randomness) -> [Float] {
    var out = dry
    for _ in 0..<4 {
      let delay = Int(r.uniform(30, 330)), gain = r.uniform(0.05, 0.22) * r.sign()
      for n in delay..<dry.count { out[n] += gain * dry[n - delay] }
    }
    for delay in [397, 521] {  // two combs, 30 dB down after about 0.15 s
      var line = out
      for n in delay..<line.count { line[n] += 0.3 * line[n - delay] }
      for n in delay..<out.count { out[n] += 0.18 * line[n - delay] }
    }
    return out
  }

  private static func addMicrophone(_ samples: inout [Float], floor: Float, _ r: inout Randomness) {
    var slow: Float = 0
    for n in samples.indices {
      let white = r.normal()
      slow = 0.95 * slow + 0.3 * white
      samples[n] += floor * (0.6 * white + 0.6 * slow)
    }
  }

  /// The lips follow the loudness of the speech as well as the sounds: closed in pauses, wide on loud open vowels.
  private static func mouth(_ script: SpeechScript, _ dry: [Float]) -> [(opening: Float, rounding: Float)] {
    var envelope = [Float](repeating: 0, count: SpeechScript.frameCount)
    for t in envelope.indices {
      var sum: Float = 0
      for n in (t * SpeechScript.frameLength)..<((t + 1) * SpeechScript.frameLength) { sum += dry[n] * dry[n] }
      envelope[t] = (sum / Float(SpeechScript.frameLength)).squareRoot()
    }
    envelope = smoothed(envelope, radius: 4)
    let loud = envelope.sorted()[SpeechScript.frameCount * 9 / 10]
    return (0..<50).map { picture in
      let t = min(picture * 8 + 4, SpeechScript.frameCount - 1)
      let loudness = min(1, envelope[t] / max(loud, 1e-9)).squareRoot()
      return (script.opening[t] * loudness, script.rounding[t] * min(1, loudness * 2))
    }
  }
}
