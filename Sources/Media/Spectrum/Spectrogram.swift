// Spectral features of sound: power, band energies (mel or linear), their logarithms, and cepstral coefficients. The
// definitions are torchaudio's and librosa's; a configuration says which.

import CFFTW
import CMedia
import Foundation

/// Everything that defines a spectral feature.
public struct SpectrogramConfiguration: Sendable, Hashable, Codable {
  /// What surrounds the sound, so that frame i is centred on sample i · hopLength.
  public enum Padding: String, Sendable, Codable, Hashable {
    /// The sound mirrored at its ends.
    case reflect
    /// Silence.
    case zero
  }

  /// Samples per second that the frequencies below refer to.
  public var sampleRate: Int
  /// Samples of one transform.
  public var fftSize: Int
  /// Samples under the periodic Hann window, which is centred in the transform.
  public var windowLength: Int
  /// Samples from one frame to the next.
  public var hopLength: Int
  /// What surrounds the sound.
  public var padding: Padding
  /// Spacing of the filters.
  public var scale: FilterScale
  /// Height of the filters.
  public var height: FilterHeight
  /// Number of filters.
  public var bands: Int
  /// Lower edge of the first filter in hertz.
  public var lowest: Double
  /// Upper edge of the last filter in hertz.
  public var highest: Double

  /// A configuration. When nil, `highest` is half the sample rate, and `height` what goes with the scale where it comes
  /// from: `area` for `melSlaney`, `peak` for the others.
  public init(
    sampleRate: Int = 16_000, fftSize: Int, windowLength: Int? = nil, hopLength: Int, padding: Padding,
    scale: FilterScale, height: FilterHeight? = nil, bands: Int, lowest: Double = 0, highest: Double? = nil
  ) {
    self.sampleRate = sampleRate
    self.fftSize = fftSize
    self.windowLength = windowLength ?? fftSize
    self.hopLength = hopLength
    self.padding = padding
    self.scale = scale
    self.height = height ?? (scale == .melSlaney ? .area : .peak)
    self.bands = bands
    self.lowest = lowest
    self.highest = highest ?? Double(sampleRate) / 2
  }

  /// 25 ms windows every 10 ms at 16 kHz, mirrored ends, HTK mel filters of peak 1: torchaudio's way.
  public static func torchaudioMel(bands: Int = 40) -> Self {
    Self(fftSize: 400, hopLength: 160, padding: .reflect, scale: .melHTK, bands: bands)
  }

  /// As `torchaudioMel` with equally spaced filters, for LFCC.
  public static func torchaudioLinear(bands: Int = 60) -> Self {
    Self(fftSize: 400, hopLength: 160, padding: .reflect, scale: .linear, bands: bands)
  }

  /// 64 ms windows every 16 ms at 16 kHz, silent ends, Slaney mel filters of equal area: librosa's way.
  public static func librosaMel(bands: Int = 64) -> Self {
    Self(fftSize: 1024, hopLength: 256, padding: .zero, scale: .melSlaney, bands: bands)
  }
}

/// A feature over time: `rows` values (bins, bands or coefficients) for each frame.
public struct Spectrum: Sendable, Equatable {
  /// Bins, bands or coefficients.
  public let rows: Int
  /// Points in time.
  public let frames: Int
  /// Row after row.
  public let values: [Float]  // [rows, frames]
}

/// Computes the features of one configuration. Its tables are made once; it may be used from any number of threads.
public final class Spectrogram: Sendable {
  /// What it computes.
  public let configuration: SpectrogramConfiguration
  private let plan: FourierPlan
  private let window: [Float]  // [fftSize]
  private let bank: FilterBank

  /// Makes window, filters and transform for a configuration.
  ///
  /// - Traps: if a length is not positive, the window is longer than the transform, or the frequencies are out of order.
  public init(_ configuration: SpectrogramConfiguration) {
    let c = configuration
    precondition(
      c.fftSize > 1 && c.hopLength > 0 && c.windowLength > 0 && c.windowLength <= c.fftSize && c.bands > 0,
      "Spectrogram: \(c.fftSize)-point transforms of \(c.windowLength)-sample windows every \(c.hopLength) are impossible."
    )
    precondition(
      0 <= c.lowest && c.lowest < c.highest && c.highest <= Double(c.sampleRate) / 2,
      "Spectrogram: there are no filters from \(c.lowest) to \(c.highest) Hz at \(c.sampleRate) Hz.")
    self.configuration = c
    plan = FourierPlan.of(length: c.fftSize)
    let before = (c.fftSize - c.windowLength) / 2
    window = (0..<c.fftSize).map { i in
      let k = i - before
      if k < 0 || k >= c.windowLength { return 0 }
      return Float(0.5 - 0.5 * cos(2 * .pi * Double(k) / Double(c.windowLength)))
    }
    bank = FilterBank(c, bins: plan.bins)
  }

  /// The filters, `[bands, fftSize / 2 + 1]`.
  public var filters: [Float] { bank.matrix }

  /// Number of frames that a number of samples gives.
  public func frameCount(samples: Int) -> Int { 1 + samples / configuration.hopLength }

  /// Squared magnitudes, `[fftSize / 2 + 1, frames]`.
  public func power(_ samples: [Float]) -> Spectrum {
    let bins = plan.bins
    return transposed(frames: frameCount(samples: samples.count), rows: bins) { target in
      forEachFrame(samples) { frame, spectrum in (target + frame * bins).update(from: spectrum, count: bins) }
    }
  }

  /// Energies of the bands, `[bands, frames]`: a mel spectrogram with mel filters.
  public func bands(_ samples: [Float]) -> Spectrum { bands(samples) { _ in } }

  /// log(energy + 1e-6) of the bands, `[bands, frames]`: a log-mel spectrogram with mel filters.
  public func logBands(_ samples: [Float]) -> Spectrum {
    bands(samples) { values in
      for i in 0..<values.count { values[i] = log(values[i] + 1e-6) }
    }
  }

  /// 10 log10 of the energies, from 1e-10, and not more than 80 dB below the loudest, `[bands, frames]`.
  public func decibels(_ samples: [Float]) -> Spectrum { bands(samples, Self.toDecibels) }

  /// The first `count` cepstral coefficients, `[count, frames]`: MFCC with mel filters, LFCC with linear ones.
  ///
  /// - Source: the orthonormal DCT-II of `decibels`.
  /// - Traps: if there are fewer bands than coefficients.
  public func cepstrum(_ samples: [Float], count: Int) -> Spectrum {
    let bands = configuration.bands
    precondition(count > 0 && count <= bands, "Spectrogram: \(bands) bands have no \(count) cepstral coefficients.")
    var cosines = [Float](repeating: 0, count: count * bands)
    for k in 0..<count {
      let scale = (k == 0 ? 1.0 : 2.0) / Double(bands)
      for n in 0..<bands {
        cosines[k * bands + n] = Float(
          scale.squareRoot() * cos(.pi * Double(k) * (Double(n) + 0.5) / Double(bands)))
      }
    }
    let frames = frameCount(samples: samples.count)
    var decibels = [Float](repeating: 0, count: frames * bands)
    return decibels.withUnsafeMutableBufferPointer { decibels in
      fillBands(samples, decibels.baseAddress!)
      Self.toDecibels(decibels)
      return transposed(frames: frames, rows: count) { target in
        for frame in 0..<frames {
          for k in 0..<count {
            target[frame * count + k] = cosines.withUnsafeBufferPointer {
              dk_dot($0.baseAddress! + k * bands, decibels.baseAddress! + frame * bands, bands)
            }
          }
        }
      }
    }
  }

  private static func toDecibels(_ values: UnsafeMutableBufferPointer<Float>) {
    var loudest = -Float.infinity
    for i in 0..<values.count {
      values[i] = 10 * log10(max(values[i], 1e-10))
      loudest = max(loudest, values[i])
    }
    for i in 0..<values.count { values[i] = max(values[i], loudest - 80) }
  }

  private func bands(
    _ samples: [Float], _ change: (UnsafeMutableBufferPointer<Float>) -> Void
  ) -> Spectrum {
    let (frames, bands) = (frameCount(samples: samples.count), configuration.bands)
    return transposed(frames: frames, rows: bands) { target in
      fillBands(samples, target)
      change(UnsafeMutableBufferPointer(start: target, count: frames * bands))
    }
  }

  private func fillBands(_ samples: [Float], _ target: UnsafeMutablePointer<Float>) {
    forEachFrame(samples) { frame, spectrum in bank.apply(spectrum, target + frame * configuration.bands) }
  }

  /// What `fill` writes frame by frame, `[frames, rows]`, turned to `[rows, frames]`.
  private func transposed(frames: Int, rows: Int, _ fill: (UnsafeMutablePointer<Float>) -> Void) -> Spectrum {
    let byFrame = UnsafeMutablePointer<Float>.allocate(capacity: frames * rows)
    defer { byFrame.deallocate() }
    fill(byFrame)
    let values = [Float](unsafeUninitializedCapacity: frames * rows) { target, count in
      for row in 0..<rows {
        let out = target.baseAddress! + row * frames
        for frame in 0..<frames { out[frame] = byFrame[frame &* rows &+ row] }
      }
      count = frames * rows
    }
    return Spectrum(rows: rows, frames: frames, values: values)
  }

  /// Gives every frame's power spectrum `[fftSize / 2 + 1]` to `body`.
  private func forEachFrame(_ samples: [Float], _ body: (Int, UnsafePointer<Float>) -> Void) {
    let size = configuration.fftSize
    let bins = plan.bins
    let buffer = FourierBuffer(length: size)
    let spectrum = UnsafeMutablePointer<Float>.allocate(capacity: bins)
    defer { spectrum.deallocate() }
    samples.withUnsafeBufferPointer { samples in
      window.withUnsafeBufferPointer { window in
        for frame in 0..<frameCount(samples: samples.count) {
          let start = frame * configuration.hopLength - size / 2
          if start >= 0 && start + size <= samples.count {
            let source = samples.baseAddress! + start
            for i in 0..<size { buffer.input[i] = source[i] * window[i] }
          } else {
            for i in 0..<size { buffer.input[i] = sample(samples, start + i) * window[i] }
          }
          plan.execute(buffer)
          buffer.output.withMemoryRebound(to: SIMD2<Float>.self, capacity: bins) { complex in
            for bin in 0..<bins {
              let squared = complex[bin] * complex[bin]
              spectrum[bin] = squared.x + squared.y
            }
          }
          body(frame, spectrum)
        }
      }
    }
  }

  /// A sample, or what surrounds the sound.
  private func sample(_ samples: UnsafeBufferPointer<Float>, _ index: Int) -> Float {
    let n = samples.count
    if index >= 0 && index < n { return samples[index] }
    guard configuration.padding == .reflect, n > 0 else { return 0 }
    if n == 1 { return samples[0] }
    // Mirrored as often as a very short sound needs it.
    let period = 2 * (n - 1)
    let place = ((index % period) + period) % period
    return samples[place < n ? place : period - place]
  }
}
