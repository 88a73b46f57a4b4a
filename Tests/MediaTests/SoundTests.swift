// Sound against libsndfile's samples; resampling against sines.

import Foundation
import Media
import Testing

@Suite struct Sounds {
  struct Listed: Decodable {
    struct File: Decodable {
      struct Bounds: Decodable {
        let max_absolute_difference: Double?
        let signal_to_error_db_at_least: Double?
      }
      let file: String
      let sample_rate: Int
      let channels: Int
      let frames: Int
      let tolerance: Bounds
    }
    let files: [File]
  }

  @Test func `reference sounds decode within their tolerance`() throws {
    let folder = Fixture.cases("audio")
    let expected = try Tensors(folder.appending(path: "expected.safetensors"))
    let files = try Fixture.json(Listed.self, folder.appending(path: "audio.json")).files
    #expect(files.count >= 8)
    for file in files {
      let url = folder.appending(path: file.file)
      let sound = try Media.sound(at: url)
      #expect(sound.sampleRate == file.sample_rate && sound.channels == file.channels, "\(file.file)")
      #expect(sound.frames == file.frames, "\(file.file)")
      let samples = try expected.floats(file.file)
      if let largest = file.tolerance.max_absolute_difference {
        #expect(zip(sound.samples, samples).allSatisfy { Double(abs($0 - $1)) <= largest }, "\(file.file)")
      }
      if let decibels = file.tolerance.signal_to_error_db_at_least {
        #expect(-20 * log10(relativeError(sound.samples, samples)) >= decibels, "\(file.file)")
      }
      let facts = try Media.facts(of: url)
      #expect(facts.kind == .sound && facts.hasAudio && !facts.hasVideo, "\(file.file)")
      #expect(facts.sampleRate == file.sample_rate && facts.channels == file.channels, "\(file.file)")
      #expect(facts.duration == Double(file.frames) / Double(file.sample_rate), "\(file.file)")
    }
  }

  struct Sines: Decodable {
    struct File: Decodable {
      struct Expected: Decodable {
        let amplitude: Double
        let relative_tolerance: Double?
        let other_content_rms_relative: Double?
        let phase_tolerance_radians: Double?
        let all_content_rms_below: Double?
      }
      let file: String
      let from_rate: Int
      let to_rate: Int
      let frequency_hz: Double
      let amplitude: Double
      let phase_radians: Double
      let frames_in: Int
      let expected_frames_out: Int
      let expected: Expected
    }
    let files: [File]
  }

  static func sine(_ rate: Int, _ hertz: Double, _ amplitude: Double, _ phase: Double, frames: Int) -> Sound {
    Sound(
      sampleRate: rate, channels: 1,
      samples: (0..<frames).map { Float(amplitude * sin(2 * .pi * hertz * Double($0) / Double(rate) + phase)) })
  }

  /// Amplitude and phase of the sine in the middle 80 %, and the effective value of the rest.
  static func fit(_ sound: Sound, _ hertz: Double) -> (amplitude: Double, phase: Double, rest: Double) {
    let n = sound.samples.count
    let middle = (n / 10)..<(n - n / 10)
    var (ss, sc, cc, sy, cy) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for i in middle {
      let angle = 2 * .pi * hertz * Double(i) / Double(sound.sampleRate)
      let (s, c, y) = (sin(angle), cos(angle), Double(sound.samples[i]))
      (ss, sc, cc, sy, cy) = (ss + s * s, sc + s * c, cc + c * c, sy + s * y, cy + c * y)
    }
    let determinant = ss * cc - sc * sc
    let (a, b) = ((sy * cc - cy * sc) / determinant, (cy * ss - sy * sc) / determinant)
    var rest = 0.0
    for i in middle {
      let angle = 2 * .pi * hertz * Double(i) / Double(sound.sampleRate)
      let error = Double(sound.samples[i]) - a * sin(angle) - b * cos(angle)
      rest += error * error
    }
    return ((a * a + b * b).squareRoot(), atan2(b, a), (rest / Double(middle.count)).squareRoot())
  }

  @Test func `resampling keeps what fits and removes what does not`() throws {
    let folder = Fixture.cases("resample")
    let files = try Fixture.json(Sines.self, folder.appending(path: "resample.json")).files
    #expect(files.count >= 6)
    for file in files {
      let url = folder.appending(path: file.file)
      let source =
        FileManager.default.fileExists(atPath: url.path)
        ? try Media.sound(at: url)
        : Self.sine(file.from_rate, file.frequency_hz, file.amplitude, file.phase_radians, frames: file.frames_in)
      #expect(source.frames == file.frames_in)
      let sound = source.resampled(to: file.to_rate)
      #expect(sound.sampleRate == file.to_rate && abs(sound.frames - file.expected_frames_out) <= 1, "\(file.file)")
      if let silence = file.expected.all_content_rms_below {
        let n = sound.samples.count
        let middle = sound.samples[(n / 10)..<(n - n / 10)]
        let rms = (middle.reduce(0.0) { $0 + Double($1 * $1) } / Double(middle.count)).squareRoot()
        #expect(rms < silence, "\(file.file)")
        continue
      }
      let found = Self.fit(sound, file.frequency_hz)
      let wanted = file.expected.amplitude
      #expect(abs(found.amplitude / wanted - 1) <= file.expected.relative_tolerance!, "\(file.file)")
      #expect(abs(found.phase - file.phase_radians) <= file.expected.phase_tolerance_radians!, "\(file.file)")
      #expect(found.rest / wanted <= file.expected.other_content_rms_relative!, "\(file.file)")
    }
  }

  @Test(arguments: [
    (44_100, 16_000), (48_000, 16_000), (22_050, 16_000), (11_025, 16_000), (44_101, 16_000), (16_000, 44_100),
  ])
  func `resampling is flat to nine tenths of the band and silent above it`(from: Int, to: Int) {
    let lower = Double(min(from, to)) / 2
    for share in [0.05, 0.5, 0.88] {
      let found = Self.fit(Self.sine(from, lower * share, 0.5, 0.3, frames: from / 2).resampled(to: to), lower * share)
      #expect(abs(found.amplitude - 0.5) < 5e-4 && abs(found.phase - 0.3) < 1e-3 && found.rest < 3e-4)
    }
    guard from > to else { return }
    let above = Self.sine(from, lower * 1.02, 0.5, 0.3, frames: from / 2).resampled(to: to)
    #expect(above.samples[2000..<6000].allSatisfy { abs($0) < 2e-3 })
  }

  @Test func `short sounds resample without looking outside`() {
    for frames in [0, 1, 2, 3, 50] {
      let sound = Sound(sampleRate: 44_100, channels: 1, samples: [Float](repeating: 0.5, count: frames)).mono16k()
      #expect(sound.frames == (frames * 160 + 440) / 441)
      #expect(sound.samples.allSatisfy { abs($0) < 1 })
    }
  }

  @Test func `mixing takes the mean of the channels`() {
    let stereo = Sound(sampleRate: 16_000, channels: 2, samples: [1, 0, 0.5, 0.25])
    #expect(stereo.mono16k().samples == [0.5, 0.375])
    let three = Sound(sampleRate: 16_000, channels: 3, samples: [0.3, 0.3, 0.3])
    #expect(abs(three.mono().samples[0] - 0.3) < 1e-7)
    let both = Sound(sampleRate: 8_000, channels: 2, samples: [Float](repeating: 0.25, count: 2000)).resampled(
      to: 16_000)
    #expect(both.channels == 2 && both.frames == 2000 && abs(both.samples[2001] - 0.25) < 1e-3)
  }
}
