// Videos whose content is known: a square that moves over a background that changes colour.

import Foundation
import Media
import Testing

@Suite struct Videos {
  struct Listed: Decodable {
    struct File: Decodable {
      struct Audio: Decodable {
        struct Bounds: Decodable {
          let duration_seconds: Double
          let tone_hz: Double
          let rms_relative_in_the_middle_half: Double
        }
        let sample_rate: Int
        let channels: Int
        let tone_hz: [Double]
        let tone_rms: [Double]
        let duration_seconds: Double
        let tolerance: Bounds
      }
      struct Bounds: Decodable {
        let mean_rgb: Double
        let timestamps_seconds: Double
        let square_centre_pixels: Double
        let example_frames_mean_absolute_difference: Double
      }
      let file: String
      let width: Int
      let height: Int
      let frames: Int
      let fps: Double
      let timestamps_seconds: [Double]
      let codec: String
      let mean_rgb_per_frame_source: [[Double]]
      let mean_rgb_per_frame_decoded: [[Double]]
      let square_size: Int
      let square_top_left_xy: [[Int]]
      let tolerance: Bounds
      let audio: Audio?
    }
    let files: [File]
  }

  let folder = Fixture.cases("video")
  let files: [Listed.File]

  init() throws {
    files = try Fixture.json(Listed.self, Fixture.cases("video").appending(path: "video.json")).files
  }

  @Test func `facts are what the headers say`() throws {
    #expect(files.count == 3)
    for file in files {
      let facts = try Media.facts(of: folder.appending(path: file.file))
      #expect(facts.kind == .video && facts.hasVideo && facts.hasAudio == (file.audio != nil), "\(file.file)")
      #expect(facts.width == file.width && facts.height == file.height && facts.videoCodec == file.codec)
      #expect(abs((facts.frameRate ?? 0) - file.fps) < 1e-6)
      #expect(abs((facts.duration ?? 0) - Double(file.frames) / file.fps) < 0.05)
      #expect(facts.sampleRate == file.audio?.sample_rate && facts.channels == file.audio?.channels)
    }
  }

  @Test func `every frame comes in order of presentation with its time, colour and content`() throws {
    var examples = 0
    for file in files {
      let tensors = try Tensors(folder.appending(path: "expected.safetensors"))
      let frames = try Media.clip(of: folder.appending(path: file.file), from: 0, count: 1000)
      try #require(frames.count == file.frames, "\(file.file)")
      for (i, frame) in frames.enumerated() {
        #expect(abs(frame.time - file.timestamps_seconds[i]) <= file.tolerance.timestamps_seconds, "\(file.file) \(i)")
        for c in 0..<3 {
          let mean = meanColour(frame.image, c)
          #expect(abs(mean - file.mean_rgb_per_frame_source[i][c]) <= file.tolerance.mean_rgb, "\(file.file) \(i)")
          // The decoder is exact by specification: only the conversion to RGB may differ, by a level.
          #expect(abs(mean - file.mean_rgb_per_frame_decoded[i][c]) <= 1, "\(file.file) \(i)")
        }
        let centre = file.square_top_left_xy[i].map { Double($0) + Double(file.square_size) / 2 }
        let found = squareCentre(frame.image)
        #expect(abs(found.x - centre[0]) <= file.tolerance.square_centre_pixels, "\(file.file) \(i)")
        #expect(abs(found.y - centre[1]) <= file.tolerance.square_centre_pixels, "\(file.file) \(i)")
        if tensors.has("\(file.file)/frame\(i)") {
          examples += 1
          let mean = difference(frame.image, try tensors.bytes("\(file.file)/frame\(i)")).mean
          #expect(mean <= file.tolerance.example_frames_mean_absolute_difference, "\(file.file) \(i)")
        }
      }
    }
    #expect(examples == 9)
  }

  @Test func `frames chosen by time are the same as frames read in a row`() throws {
    for file in files {
      let url = folder.appending(path: file.file)
      let all = try Media.clip(of: url, from: 0, count: 1000)
      let span = Double(file.frames) / file.fps
      for count in [1, 2, 3, 8, 17, file.frames, 2 * file.frames] {
        let chosen = try Media.frames(of: url, count: count)
        let expected = (0..<count).map { i in
          all.last { $0.time <= (Double(i) + 0.5) * span / Double(count) + 1e-6 }!
        }
        #expect(chosen == expected, "\(file.file), \(count) frames")
      }
      let times = [1.3, 0, 0.41, 99, -5, 0.41]
      let byTime = try Media.frames(of: url, times: times)
      #expect(byTime == times.map { time in all.last { $0.time <= time + 1e-6 } ?? all[0] }, "\(file.file)")
      let clip = try Media.clip(of: url, from: 0.9, count: 5)
      let first = all.lastIndex { $0.time <= 0.9 + 1e-6 }!
      #expect(clip == Array(all[first..<(first + 5)]), "\(file.file)")
      let lastTwo = try Media.clip(of: url, from: all[all.count - 2].time, count: 5)
      #expect(lastTwo == Array(all.suffix(2)), "\(file.file)")
    }
  }

  @Test func `a fit scales every frame as a picture would be scaled`() throws {
    let url = folder.appending(path: files[0].file)
    for fit in [Fit.exact(width: 32, height: 32), .shortSide(48), .cover(width: 40, height: 40)] {
      let scaled = try Media.frames(of: url, count: 3, fit: fit)
      let whole = try Media.frames(of: url, count: 3)
      for (a, b) in zip(scaled, whole) {
        let expected = b.image.fitted(fit)
        #expect(a.image.width == expected.width && a.image.height == expected.height)
        #expect(difference(a.image, expected.pixels).largest <= 3)
      }
    }
  }

  @Test func `the sound track has the tones that were recorded`() throws {
    for file in files {
      let url = folder.appending(path: file.file)
      guard let audio = file.audio else {
        #expect(throws: MediaError.self) { try Media.sound(at: url) }
        continue
      }
      let sound = try Media.sound(at: url)
      #expect(sound.sampleRate == audio.sample_rate && sound.channels == audio.channels)
      #expect(abs(sound.duration - audio.duration_seconds) <= audio.tolerance.duration_seconds)
      for channel in 0..<sound.channels {
        let samples = stride(from: channel, to: sound.samples.count, by: sound.channels).map { sound.samples[$0] }
        let middle = Array(samples[(samples.count / 4)..<(samples.count * 3 / 4)])
        let rms = (middle.reduce(0.0) { $0 + Double($1 * $1) } / Double(middle.count)).squareRoot()
        #expect(abs(rms / audio.tone_rms[channel] - 1) <= audio.tolerance.rms_relative_in_the_middle_half)
        let crossings = zip(middle, middle.dropFirst()).count { $0 < 0 && $1 >= 0 }
        let hertz = Double(crossings) * Double(sound.sampleRate) / Double(middle.count)
        #expect(abs(hertz - audio.tone_hz[channel]) <= audio.tolerance.tone_hz)
      }
    }
  }

  @Test func `one reader gives frames and sound in any order`() throws {
    let file = try #require(files.first { $0.audio != nil })
    let url = folder.appending(path: file.file)
    let (frames, sound) = (try Media.frames(of: url, count: 4), try Media.sound(at: url))
    let reader = try MediaReader(url)
    #expect(try reader.sound() == sound)
    #expect(try reader.frames(count: 4) == frames)
    #expect(try reader.sound() == sound)
    #expect(try reader.frames(count: 4) == frames)
  }

  private func meanColour(_ image: ImagePixels, _ channel: Int) -> Double {
    var sum = 0
    for i in stride(from: channel, to: image.pixels.count, by: 3) { sum += Int(image.pixels[i]) }
    return Double(sum) / Double(image.width * image.height)
  }

  /// Centre of the pixels that differ clearly from the background, which is the colour of most of the frame.
  private func squareCentre(_ image: ImagePixels) -> (x: Double, y: Double) {
    let background = (0..<3).map { c -> Int in
      let values = stride(from: c, to: image.pixels.count, by: 3).map { Int(image.pixels[$0]) }.sorted()
      return values[values.count / 2]
    }
    var (x, y, n) = (0.0, 0.0, 0.0)
    for i in 0..<(image.width * image.height) {
      let distance = (0..<3).reduce(0) { $0 + abs(Int(image.pixels[3 * i + $1]) - background[$1]) }
      guard distance > 100 else { continue }
      (x, y, n) = (x + Double(i % image.width) + 0.5, y + Double(i / image.width) + 0.5, n + 1)
    }
    return (x / max(n, 1), y / max(n, 1))
  }
}
