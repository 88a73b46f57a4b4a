// Silence at the ends of generated sound.

import Foundation
import Media
import Testing

@Suite struct Silence {
  /// Seconds of a level in dB of full scale, one after the other: a tone of 200 Hz.
  private func sound(_ parts: [(seconds: Double, decibels: Double)], rate: Int = 16_000) -> [Float] {
    parts.flatMap { part in
      let gain = pow(10, part.decibels / 20)
      return (0..<Int(part.seconds * Double(rate))).map { Float(gain * sin(Double($0) * 2 * .pi * 200 / Double(rate))) }
    }
  }

  @Test func `is found at both ends to the window`() {
    let samples = sound([(0.5, -70), (1, -6), (0.2, -80), (0.3, -20), (0.25, -60)])
    let kept = SilenceRule().sounding(samples, rate: 16_000)
    #expect(kept == 8000..<(8000 + 16_000 + 3200 + 4800))  // what is silent in between stays
    #expect(SilenceRule().leadingSeconds(SilenceRule.energies(samples, rate: 16_000), rate: 16_000) == 0.5)
  }

  @Test func `begins where the rule says`() {
    let samples = sound([(0.5, -36), (1, -6), (0.5, -36)])  // 30 dB below the loudest
    #expect(SilenceRule(decibels: 40).sounding(samples, rate: 16_000) == 0..<32_000)
    #expect(SilenceRule(decibels: 25).sounding(samples, rate: 16_000) == 8000..<24_000)
    #expect(SilenceRule(decibels: 27.5).sounding(samples, rate: 16_000) == 8000..<24_000)
  }

  @Test func `that is short stays, each end by itself`() {
    let samples = sound([(0.08, -90), (0.5, -6), (0.3, -90)])
    #expect(SilenceRule().sounding(samples, rate: 16_000) == 0..<Int(0.58 * 16_000))
    #expect(SilenceRule(minimumSeconds: 0).sounding(samples, rate: 16_000) == 1280..<Int(0.58 * 16_000))
  }

  @Test func `alone stays as it is, and so does nothing`() {
    #expect(SilenceRule().sounding([Float](repeating: 0, count: 1000), rate: 16_000) == 0..<1000)
    #expect(SilenceRule().sounding([], rate: 16_000) == 0..<0)
    #expect(SilenceRule().sounding([0.5], rate: 16_000) == 0..<1)
    // A hum is no silence beside itself.
    #expect(SilenceRule().sounding(sound([(1, -70)]), rate: 16_000) == 0..<16_000)
  }
}
