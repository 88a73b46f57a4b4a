// Band-limited resampling by a windowed sinc, one filter per phase of the output between input samples.
//
// 48 zero crossings on each side and a Kaiser window of beta 7.86 give 80 dB in the stop band and a transition of a
// tenth of the band: the response is flat to 0.9 of the lower Nyquist frequency, and gone at it.

import CMedia
import Foundation
import Synchronization

/// A filter bank for one pair of rates.
final class Resampler: Sendable {
  private let step: Int  // input samples per `phases` output samples
  private let phases: Int
  private let tablePhases: Int
  private let taps: Int
  private let filters: [Float]  // [tablePhases, taps]

  private static let cache = Mutex<[SIMD2<Int>: Resampler]>([:])

  /// The filter bank for a pair of rates, made once.
  static func from(_ from: Int, to: Int) -> Resampler {
    let key = SIMD2(from, to)
    if let known = cache.withLock({ $0[key] }) { return known }
    let made = Resampler(from: from, to: to)
    cache.withLock { known in
      if known.count >= 32 { known.removeAll() }  // only odd collections have more pairs; each may take megabytes
      known[key] = made
    }
    return made
  }

  private init(from: Int, to: Int) {
    let common = greatestCommonDivisor(from, to)
    step = from / common
    phases = to / common
    // Rates without a common factor would need a filter per output sample of a second: 4096 positions between two
    // input samples are enough for 70 dB.
    tablePhases = min(phases, 4096)
    let crossings = 48.0, beta = 7.86
    let stretch = max(1, Double(from) / Double(to))  // when shrinking, the filter cuts at the new Nyquist frequency
    let cutoff = 0.948 / stretch  // of the input's Nyquist frequency: half the transition below the lower one
    let half = crossings * stretch
    taps = (Int(half.rounded(.up)) * 2 + 7) / 8 * 8
    var table = [Float](repeating: 0, count: tablePhases * taps)
    let window = KaiserWindow(beta: beta)
    for phase in 0..<tablePhases {
      let offset = Double(phase) / Double(tablePhases) + Double(taps / 2 - 1)
      var row = [Double](repeating: 0, count: taps)
      var sum = 0.0
      for k in 0..<taps {
        let x = Double(k) - offset
        let angle = Double.pi * x * cutoff
        row[k] = abs(x) >= half ? 0 : (x == 0 ? 1 : sin(angle) / angle) * window(x / half)
        sum += row[k]
      }
      for k in 0..<taps { table[phase * taps + k] = Float(row[k] / sum) }
    }
    filters = table
  }

  /// Resamples one channel. The first output sample is at the time of the first input sample.
  func callAsFunction(_ samples: [Float]) -> [Float] {
    if samples.isEmpty { return [] }
    let count = (samples.count * phases + step - 1) / step
    // Silence around the sound, so that the inner loop never looks for an edge.
    let margin = taps
    let padded = [Float](unsafeUninitializedCapacity: samples.count + 2 * margin) { buffer, filled in
      filled = samples.count + 2 * margin
      buffer.initialize(repeating: 0)
      samples.withUnsafeBufferPointer { (buffer.baseAddress! + margin).update(from: $0.baseAddress!, count: $0.count) }
    }
    return [Float](unsafeUninitializedCapacity: count) { target, filled in
      padded.withUnsafeBufferPointer { source in
        dk_polyphase(
          source.baseAddress! + margin, target.baseAddress!, count, 0, UInt64(step), UInt64(phases),
          UInt64(tablePhases), filters, taps)
      }
      filled = count
    }
  }
}

/// A Kaiser window over -1...1.
private struct KaiserWindow {
  let beta: Double
  let scale: Double

  init(beta: Double) {
    self.beta = beta
    scale = 1 / KaiserWindow.bessel(beta)
  }

  func callAsFunction(_ x: Double) -> Double { KaiserWindow.bessel(beta * max(0, 1 - x * x).squareRoot()) * scale }

  /// Modified Bessel function of order 0, by its power series.
  private static func bessel(_ x: Double) -> Double {
    var (sum, term, k) = (1.0, 1.0, 1.0)
    while term > sum * 1e-17 {
      term *= (x / (2 * k)) * (x / (2 * k))
      sum += term
      k += 1
    }
    return sum
  }
}

private func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : greatestCommonDivisor(b, a % b) }

extension Sound {
  /// The sound at another rate, everything above the lower Nyquist frequency removed.
  ///
  /// - Cost: 96 · max(1, from / to) products per output sample and channel.
  /// - Traps: if the rate is not positive.
  public func resampled(to rate: Int) -> Sound {
    precondition(rate > 0, "Sound: cannot resample to \(rate) Hz.")
    if rate == sampleRate { return self }
    let resampler = Resampler.from(sampleRate, to: rate)
    if channels == 1 {
      return Sound(sampleRate: rate, channels: 1, samples: resampler(samples), start: start)
    }
    let parts = (0..<channels).map { channel in
      resampler(stride(from: channel, to: samples.count, by: channels).map { samples[$0] })
    }
    var interleaved = [Float](repeating: 0, count: parts[0].count * channels)
    for (channel, part) in parts.enumerated() {
      for (i, sample) in part.enumerated() { interleaved[i * channels + channel] = sample }
    }
    return Sound(sampleRate: rate, channels: channels, samples: interleaved, start: start)
  }
}
