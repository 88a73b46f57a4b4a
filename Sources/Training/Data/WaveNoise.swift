import Foundation
import Tensor

/// Noise as telephones, codecs and rooms leave it, for raw sound: filtered powers of the signal, errors at single samples,
/// and coloured noise. Each of the three is applied to one view in two. Which and how follows from the view's own random
/// stream.
///
/// - Source: Tak et al. 2022, "RawBoost: a raw data boosting and augmentation method applied to automatic speaker
///   verification anti-spoofing", arXiv:2111.04433, with its parameters; all three in series.
struct WaveNoise {
  private let convolutive, impulsive, stationary: RandomStream?
  private let rate: Double

  /// Draws what to do with one view.
  init(_ random: RandomStream, sampleRate: Int) {
    var choice = random.keyed("wave noise")
    let draws = (0..<3).map { _ in choice.chance(0.5) }
    convolutive = draws[0] ? random.keyed("convolutive") : nil
    impulsive = draws[1] ? random.keyed("impulsive") : nil
    stationary = draws[2] ? random.keyed("stationary") : nil
    rate = Double(sampleRate)
  }

  /// Changes the samples in place.
  func apply(to samples: UnsafeMutableBufferPointer<Float>) {
    guard samples.count > 1 else { return }
    if let convolutive { addPowers(samples, convolutive) }
    if let impulsive { addImpulses(samples, impulsive) }
    if let stationary { addColouredNoise(samples, stationary) }
  }

  /// Linear and non-linear convolutive noise: the sum over powers 1 to 5 of the signal, each through its own random
  /// notch filter, the higher ones 5 to 20 dB weaker.
  private func addPowers(_ samples: UnsafeMutableBufferPointer<Float>, _ stream: RandomStream) {
    var random = stream
    let signal = Array(samples)
    var power = [Float](repeating: 1, count: signal.count)
    var sum = [Float](repeating: 0, count: signal.count)
    for order in 1...5 {
      for index in power.indices { power[index] *= signal[index] }
      let gain = order == 1 ? 0 : -random.uniform(5..<20)
      let filtered = filter(power, notches(&random, gain: gain))
      for index in sum.indices { sum[index] += filtered[index] }
    }
    let mean = Float(sum.reduce(0.0) { $0 + Double($1) } / Double(sum.count))
    for index in sum.indices { samples[index] = sum[index] - mean }
    limit(samples)
  }

  /// Impulsive noise that depends on the signal: up to a tenth of the samples change by up to twice their own size.
  private func addImpulses(_ samples: UnsafeMutableBufferPointer<Float>, _ stream: RandomStream) {
    var random = stream
    let count = Int(Double(samples.count) * random.uniform(0..<0.1))
    for place in random.permutation(samples.count).prefix(count) {
      let factor = random.uniform(-1..<1) * random.uniform(-1..<1)
      samples[place] += 2 * samples[place] * Float(factor)
    }
    limit(samples)
  }

  /// Stationary noise that does not depend on the signal: white noise through a notch filter, 10 to 40 dB below it.
  private func addColouredNoise(_ samples: UnsafeMutableBufferPointer<Float>, _ stream: RandomStream) {
    var random = stream
    let taps = notches(&random, gain: 0)
    let ratio = random.uniform(10..<40)
    var source = PixelNoise(seed: random.next())
    let noise = filter((0..<samples.count).map { _ in source.normal() }, taps)
    func norm(_ values: some Sequence<Float>) -> Double {
      values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
    let size = norm(noise)
    guard size > 0 else { return }
    let scale = Float(norm(samples) / size / pow(10, ratio / 20))
    for index in samples.indices { samples[index] += scale * noise[index] }
  }

  /// Brings what exceeds full scale back to it, as a recorder's limiter does.
  private func limit(_ samples: UnsafeMutableBufferPointer<Float>) {
    let peak = samples.reduce(0) { max($0, abs($1)) }
    guard peak > 1 else { return }
    for index in samples.indices { samples[index] /= peak }
  }

  // MARK: Filters

  /// Five random notches of 100 to 1000 Hz width, each a Hamming-windowed filter of 11 to 101 taps, one after another;
  /// its largest response is `gain` decibels.
  private func notches(_ random: inout RandomStream, gain: Double) -> [Float] {
    var taps = [1.0]
    for _ in 0..<5 {
      let (centre, width) = (random.uniform(20..<(rate / 2)), random.uniform(100..<1000))
      let count = (10 + random.below(91)) | 1
      let low = max(0.001, centre - width / 2)
      let high = min(rate / 2 - 0.001, centre + width / 2)
      taps = Self.convolved(taps, Self.bandStop(count, low / rate, high / rate))
    }
    let peak = Self.largestResponse(taps)
    let scale = pow(10, gain / 20) / max(peak, 1e-9)
    return taps.map { Float($0 * scale) }
  }

  /// All but the band from `low` to `high` (shares of the sample rate), by the window method; 1 at frequency 0.
  static func bandStop(_ count: Int, _ low: Double, _ high: Double) -> [Double] {
    let middle = Double(count - 1) / 2
    func pass(_ edge: Double, _ t: Double) -> Double { t == 0 ? 2 * edge : sin(2 * .pi * edge * t) / (.pi * t) }
    let taps = (0..<count).map { index in
      let t = Double(index) - middle
      let window = 0.54 - 0.46 * cos(2 * .pi * Double(index) / Double(count - 1))
      return window * ((t == 0 ? 1 : 0) - pass(high, t) + pass(low, t))
    }
    let sum = taps.reduce(0, +)
    return abs(sum) > 1e-6 ? taps.map { $0 / sum } : taps
  }

  private static func convolved(_ a: [Double], _ b: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: a.count + b.count - 1)
    for i in a.indices { for j in b.indices { result[i + j] += a[i] * b[j] } }
    return result
  }

  /// The largest magnitude of the frequency response, at 256 frequencies.
  private static func largestResponse(_ taps: [Double]) -> Double {
    (0..<256).reduce(0) { largest, step in
      let (c, s) = (cos(.pi * Double(step) / 256), sin(.pi * Double(step) / 256))
      // e^(-iωt) by turning, one multiplication a tap.
      var (x, y, real, imaginary) = (1.0, 0.0, 0.0, 0.0)
      for tap in taps {
        real += tap * x
        imaginary += tap * y
        (x, y) = (x * c + y * s, y * c - x * s)
      }
      return max(largest, (real * real + imaginary * imaginary).squareRoot())
    }
  }

  /// The signal through a filter, shifted back by half of its length.
  private func filter(_ signal: [Float], _ taps: [Float]) -> [Float] {
    let (count, half) = (signal.count, taps.count / 2)
    var result = [Float](repeating: 0, count: count)
    signal.withUnsafeBufferPointer { x in
      result.withUnsafeMutableBufferPointer { y in
        for (index, tap) in taps.enumerated() {
          let shift = half - index
          guard abs(shift) < count else { continue }
          for place in max(0, -shift)..<min(count, count - shift) { y[place] += tap * x[place &+ shift] }
        }
      }
    }
    return result
  }
}
