// Analysis and resynthesis of a voice, with what such systems leave behind: a spectrum smoothed over frequency and time,
// pulses of one phase (buzz), breath that does not come and go with the pitch, pitch that moves in steps, and no room.

import Glibc

/// A pulse-and-noise vocoder over cepstrally smoothed spectra (the classical source-filter vocoder).
struct Vocoder {
  private static let hop = 160  // 10 ms
  private static let size = 512

  private let transform = FourierTransform(size)
  private let kept: Int
  private let breathFrom: Float
  private let neighbours: Float
  private let unsteadiness: Float

  /// A vocoder of a quality from 0 to 1.
  ///
  /// The best keeps twice as much of the cepstrum as the worst (60 samples of quefrency: fine formants, hardly a
  /// harmonic), gives the voice its breath back from a lower frequency on, smooths less over time, and has pulses nearly
  /// as unsteady as those of a throat.
  init(quality: Float) {
    kept = 26 + Int(34 * quality)
    breathFrom = 5_500 - 3_500 * quality
    neighbours = 0.25 - 0.25 * quality
    unsteadiness = quality
  }

  /// One analysis frame.
  private struct Frame {
    var logSpectrum: [Float]  // natural log of amplitude, bins 0...256
    var pitch: Float  // hertz; 0 without voice
  }

  /// `samples` spoken again: pitch times `pitchRatio`, formants times `formantRatio`.
  func resynthesize(
    _ samples: [Float], pitchRatio: Float, formantRatio: Float, _ r: inout Randomness
  ) -> [Float] {
    var frames = analyse(samples)
    smoothOverTime(&frames)
    for i in frames.indices {
      frames[i].logSpectrum = stretched(frames[i].logSpectrum, by: formantRatio)
      // Steps of a quarter of a semitone, as a quantised pitch code has.
      if frames[i].pitch > 0 { frames[i].pitch = quantised(frames[i].pitch * pitchRatio) }
    }
    return synthesise(frames, count: samples.count, &r)
  }

  private func quantised(_ pitch: Float) -> Float {
    100 * exp2f((log2f(pitch / 100) * 48).rounded() / 48)
  }

  private func analyse(_ samples: [Float]) -> [Frame] {
    let window = (0..<Vocoder.size).map { 0.5 - 0.5 * cosf(2 * .pi * (Float($0) + 0.5) / Float(Vocoder.size)) }
    let count = (samples.count + Vocoder.hop - 1) / Vocoder.hop
    let loudest = samples.reduce(Float(0)) { max($0, abs($1)) }
    return (0..<count).map { frame in
      let centre = frame * Vocoder.hop + Vocoder.hop / 2
      var re = [Float](repeating: 0, count: Vocoder.size), im = re
      for i in 0..<Vocoder.size {
        let n = centre - Vocoder.size / 2 + i
        if n >= 0 && n < samples.count { re[i] = samples[n] * window[i] }
      }
      transform(&re, &im)
      // Scaled so that a pulse or noise of unit power filtered by the spectrum has the frame's power.
      let scale = 1 / (Float(Vocoder.size) * 0.375)
      let power = (0..<Vocoder.size).map { (re[$0] * re[$0] + im[$0] * im[$0]) * scale }
      let pitch = pitch(samples, centre, loudest)
      // Averaged over one harmonic's width: the mean of the logarithm would lose the power that sits in the peaks.
      let reach = max(2, Int((pitch / 2 / Float(SpeechScript.sampleRate) * Float(Vocoder.size)).rounded()))
      for i in 0..<Vocoder.size {
        var sum: Float = 0
        for j in (i - reach)...(i + reach) { sum += power[(j + Vocoder.size) % Vocoder.size] }
        re[i] = 0.5 * logf(sum / Float(2 * reach + 1) + 1e-12)
      }
      im = [Float](repeating: 0, count: Vocoder.size)
      transform(&re, &im, inverse: true)
      for i in kept..<(Vocoder.size - kept) { re[i] = 0 }
      im = [Float](repeating: 0, count: Vocoder.size)
      transform(&re, &im)
      return Frame(logSpectrum: Array(re[0...(Vocoder.size / 2)]), pitch: pitch)
    }
  }

  /// Normalised autocorrelation over 40 ms, 70 to 330 Hz.
  private func pitch(_ samples: [Float], _ centre: Int, _ loudest: Float) -> Float {
    let reach = 320, low = max(0, centre - reach), high = min(samples.count, centre + reach)
    guard high - low > 500 else { return 0 }
    let x = Array(samples[low..<high])
    var energy: Float = 0
    for value in x { energy += value * value }
    guard (energy / Float(x.count)).squareRoot() > 0.02 * loudest else { return 0 }
    var scores = [Float](repeating: 0, count: 229)
    for lag in 47...228 {
      var sum: Float = 0, a: Float = 1e-9, b: Float = 1e-9
      for i in 0..<(x.count - lag) {
        sum += x[i] * x[i + lag]
        a += x[i] * x[i]
        b += x[i + lag] * x[i + lag]
      }
      // A shorter period must not lose to its own multiples.
      scores[lag] = sum / (a * b).squareRoot() - Float(lag) * 0.0004
    }
    guard let best = (48...227).max(by: { scores[$0] < scores[$1] }), scores[best] > 0.5 else { return 0 }
    // The top of the parabola through the best lag and its neighbours.
    let bend = scores[best - 1] - 2 * scores[best] + scores[best + 1]
    let shift = bend < 0 ? 0.5 * (scores[best - 1] - scores[best + 1]) / bend : 0
    return Float(SpeechScript.sampleRate) / (Float(best) + min(max(shift, -0.5), 0.5))
  }

  private func smoothOverTime(_ frames: inout [Frame]) {
    let original = frames
    for i in frames.indices where i > 0 && i < frames.count - 1 {
      for k in frames[i].logSpectrum.indices {
        frames[i].logSpectrum[k] =
          neighbours * (original[i - 1].logSpectrum[k] + original[i + 1].logSpectrum[k])
          + (1 - 2 * neighbours) * original[i].logSpectrum[k]
      }
      // The median of five frames, voiceless ones counting as 0, mends single errors of pitch and of voicing.
      let near = original[max(0, i - 2)...min(frames.count - 1, i + 2)].map(\.pitch).sorted()
      let middle = near[near.count / 2]
      frames[i].pitch =
        middle > 0 && original[i].pitch > 0 && abs(original[i].pitch / middle - 1) < 0.1
        ? original[i].pitch : middle
    }
  }

  private func stretched(_ spectrum: [Float], by ratio: Float) -> [Float] {
    spectrum.indices.map { k in
      let position = min(Float(k) / ratio, Float(spectrum.count - 1))
      let low = Int(position), part = position - Float(low)
      return spectrum[low] * (1 - part) + spectrum[min(low + 1, spectrum.count - 1)] * part
    }
  }

  private func synthesise(_ frames: [Frame], count: Int, _ r: inout Randomness) -> [Float] {
    var out = [Float](repeating: 0, count: count + Vocoder.size * 2)
    // Amplitudes of pulses and of noise, as logarithms to add to the spectrum of a frame with voice.
    let bins = 0...(Vocoder.size / 2)
    let breath = bins.map { k -> Float in
      let frequency = Float(k) * Float(SpeechScript.sampleRate) / Float(Vocoder.size)
      return 0.002 + 0.06 * unsteadiness + 0.88 * smoothStep(breathFrom * 0.6, breathFrom * 1.6, frequency)
    }
    let pulseGain = breath.map { 0.5 * logf(1 - $0) }, noiseGain = breath.map { 0.5 * logf($0) }
    var next: Float = 0
    for n in 0..<count {
      let frame = frames[min(n / Vocoder.hop, frames.count - 1)], isVoiced = frame.pitch > 0
      if n % (Vocoder.hop / 2) == 0 {
        let spectrum = isVoiced ? zip(frame.logSpectrum, noiseGain).map(+) : frame.logSpectrum
        addNoise(spectrum, at: n, to: &out, &r)
      }
      guard isVoiced else {
        next = Float(n + 1)
        continue
      }
      guard Float(n) >= next else { continue }
      let period = Float(SpeechScript.sampleRate) / frame.pitch * (1 + 0.012 * unsteadiness * r.normal())
      next = max(next, Float(n - 1)) + period
      let response = minimumPhase(zip(frame.logSpectrum, pulseGain).map(+))
      let gain = period.squareRoot() * (1 + 0.06 * unsteadiness * r.normal())
      for i in 0..<(Vocoder.size / 2) { out[n + i] += gain * response[i] }
    }
    return Array(out[0..<count])
  }

  /// The causal impulse response with this amplitude spectrum whose energy comes earliest: the phase of a buzz.
  private func minimumPhase(_ logSpectrum: [Float]) -> [Float] {
    let half = Vocoder.size / 2
    var re = [Float](repeating: 0, count: Vocoder.size), im = re
    for k in 0...half {
      re[k] = logSpectrum[k]
      if k > 0 && k < half { re[Vocoder.size - k] = logSpectrum[k] }
    }
    transform(&re, &im, inverse: true)
    for i in 1..<half {
      re[i] *= 2
      re[Vocoder.size - i] = 0
    }
    im = [Float](repeating: 0, count: Vocoder.size)
    transform(&re, &im)
    for k in 0..<Vocoder.size {
      let amplitude = expf(re[k])
      re[k] = amplitude * cosf(im[k])
      im[k] = amplitude * sinf(im[k])
    }
    transform(&re, &im, inverse: true)
    return re
  }

  /// A window of noise with the frame's spectrum, overlapped by three quarters.
  private func addNoise(_ logSpectrum: [Float], at start: Int, to out: inout [Float], _ r: inout Randomness) {
    let half = Vocoder.size / 2, length = Vocoder.hop * 2
    var re = [Float](repeating: 0, count: Vocoder.size), im = re
    for i in 0..<length { re[i] = r.normal() * (0.5 - 0.5 * cosf(2 * .pi * (Float(i) + 0.5) / Float(length))) }
    transform(&re, &im)
    for k in 0..<Vocoder.size {
      let amplitude = expf(logSpectrum[k <= half ? k : Vocoder.size - k])
      re[k] *= amplitude
      im[k] *= amplitude
    }
    transform(&re, &im, inverse: true)
    // Hann windows at a quarter of their length add up to 1.5 in power.
    let origin = start - length / 2
    for i in 0..<Vocoder.size where origin + i >= 0 && origin + i < out.count {
      out[origin + i] += re[i] * 0.816
    }
  }
}
