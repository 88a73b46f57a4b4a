// Analysis and resynthesis of a voice, with what such systems leave behind: a spectrum smoothed over frequency and time,
// pulses of one phase where a voice has breath (buzz), pitch that moves in steps, and no trace of the room.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A pulse-and-noise vocoder over cepstrally smoothed spectra (the classical source-filter vocoder).
struct Vocoder {
  /// How much of the cepstrum is kept, in samples of quefrency: 28 at 16 kHz keeps formants and drops harmonics.
  private static let kept = 28
  private static let hop = 160  // 10 ms
  private static let size = 512

  private let transform = FourierTransform(size)

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
      for i in Vocoder.kept..<(Vocoder.size - Vocoder.kept) { re[i] = 0 }
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
    var best: Float = 0, bestLag = 0
    for lag in 48...228 {
      var sum: Float = 0, a: Float = 1e-9, b: Float = 1e-9
      for i in 0..<(x.count - lag) {
        sum += x[i] * x[i + lag]
        a += x[i] * x[i]
        b += x[i + lag] * x[i + lag]
      }
      // A shorter period must not lose to its own multiples.
      let score = sum / (a * b).squareRoot() - Float(lag) * 0.0004
      if score > best {
        best = score
        bestLag = lag
      }
    }
    return best > 0.55 ? Float(SpeechScript.sampleRate) / Float(bestLag) : 0
  }

  private func smoothOverTime(_ frames: inout [Frame]) {
    let original = frames
    for i in frames.indices where i > 0 && i < frames.count - 1 {
      for k in frames[i].logSpectrum.indices {
        frames[i].logSpectrum[k] =
          0.25 * original[i - 1].logSpectrum[k] + 0.5 * original[i].logSpectrum[k]
          + 0.25 * original[i + 1].logSpectrum[k]
      }
      // A frame whose neighbours agree about voice against it follows them.
      let before = original[i - 1].pitch, after = original[i + 1].pitch
      if before > 0 && after > 0 && original[i].pitch == 0 { frames[i].pitch = (before + after) / 2 }
      if before == 0 && after == 0 { frames[i].pitch = 0 }
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
    var next: Float = 0
    for n in 0..<count {
      let frame = frames[min(n / Vocoder.hop, frames.count - 1)]
      if frame.pitch > 0 {
        guard Float(n) >= next else { continue }
        let period = Float(SpeechScript.sampleRate) / frame.pitch
        next = max(next, Float(n - 1)) + period
        let response = minimumPhase(frame.logSpectrum)
        let gain = period.squareRoot()
        for i in 0..<(Vocoder.size / 2) { out[n + i] += gain * response[i] }
      } else if n % (Vocoder.hop / 2) == 0 {
        next = Float(n)
        addNoise(frame.logSpectrum, at: n, to: &out, &r)
      }
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
