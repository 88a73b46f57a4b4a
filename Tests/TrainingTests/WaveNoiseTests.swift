import Foundation
import Models
import Tensor
import Testing

@testable import Training

@Suite struct `wave noise` {
  private let signal = (0..<4000).map { Float(0.4 * sin(Double($0) * 0.07) + 0.1 * sin(Double($0) * 0.9)) }

  private func noisy(_ seed: UInt64) -> [Float] {
    var samples = signal
    samples.withUnsafeMutableBufferPointer {
      WaveNoise(RandomStream(seed: seed, "view"), sampleRate: 16_000).apply(to: $0)
    }
    return samples
  }

  @Test func `follows from the view's stream alone and stays finite`() {
    let all = (0..<24).map { noisy(UInt64($0)) }
    for (seed, samples) in all.enumerated() {
      #expect(noisy(UInt64(seed)) == samples)
      #expect(samples.allSatisfy { $0.isFinite && abs($0) < 2 })
    }
    // Three kinds, each for one view in two: one view in eight stays as it is.
    #expect((1...9).contains(all.count { $0 == signal }))
    #expect(Set(all.map { $0[100] }).count > 10)
  }

  @Test func `a notch takes its band away and leaves the rest`() {
    let taps = WaveNoise.bandStop(101, 0.1, 0.2)
    func response(_ frequency: Double) -> Double {
      let parts = taps.enumerated().map { index, tap in
        (tap * cos(2 * .pi * frequency * Double(index)), tap * sin(2 * .pi * frequency * Double(index)))
      }
      return hypot(parts.reduce(0) { $0 + $1.0 }, parts.reduce(0) { $0 + $1.1 })
    }
    #expect(abs(response(0) - 1) < 1e-12 && abs(response(0.4) - 1) < 0.01 && response(0.15) < 0.01)
  }
}
