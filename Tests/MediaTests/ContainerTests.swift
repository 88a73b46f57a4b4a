// The same moving picture in many containers, codecs and colour formats.

import Foundation
import Media
import Testing

@Suite struct Containers {
  struct Listed: Decodable {
    struct File: Decodable {
      let file: String
      let sound: Bool
      let times: [Double]
    }
    let files: [File]
  }

  let folder = Fixture.committed.appending(path: "containers")
  let files: [Listed.File]

  init() throws {
    files = try Fixture.json(Listed.self, Fixture.committed.appending(path: "containers/containers.json")).files
  }

  @Test func `every container and codec gives all frames, their times and colours`() throws {
    #expect(files.count == 12)
    for file in files {
      let url = folder.appending(path: file.file)
      let facts = try Media.facts(of: url)
      #expect(facts.kind == .video && facts.hasAudio == file.sound && facts.width == 64 && facts.height == 48)
      let all = try Media.clip(of: url, from: 0, count: 100)
      try #require(all.count == file.times.count, "\(file.file)")
      for (i, frame) in all.enumerated() {
        #expect(abs(frame.time - file.times[i]) < 2e-3, "\(file.file) \(i)")
        let at = (30 * 64 + 40) * 3
        let expected = [60 + 5 * i, 200 - 4 * i, 90]
        for c in 0..<3 {
          // 6 levels: lossy codecs. The wrong matrix or range is 10 and more off in some of these frames.
          #expect(abs(Int(frame.image.pixels[at + c]) - expected[c]) <= 6, "\(file.file) \(i) \(c)")
        }
        #expect(frame.image.pixels[(5 * 64 + 5) * 3 + 1] > 240, "\(file.file) \(i)")
      }
      #expect(try Media.frames(of: url, times: file.times) == all, "\(file.file)")
      #expect(try Media.frames(of: url, times: [file.times[20], file.times[3]]) == [all[20], all[3]], "\(file.file)")
    }
  }

  @Test func `sound is on the clock of the frames`() throws {
    for file in files where file.sound {
      let sound = try Media.sound(at: folder.appending(path: file.file))
      #expect(sound.sampleRate == 44_100 && sound.channels == 1, "\(file.file)")
      #expect(abs(sound.start) < 0.06 && abs(sound.duration + sound.start - 1.2) < 0.06, "\(file.file)")
      // The tone was recorded with phase 0 at the first frame.
      let first = Int(0.3 * 44_100), count = 4410
      var (s, c) = (0.0, 0.0)
      for i in first..<(first + count) {
        let angle = 2 * .pi * 440 * (Double(i) / 44_100 + sound.start)
        s += Double(sound.samples[i]) * sin(angle)
        c += Double(sound.samples[i]) * cos(angle)
      }
      #expect(abs(2 * (s * s + c * c).squareRoot() / Double(count) - 0.4) < 0.03, "\(file.file)")
      // AVI has no time for the encoder's delay: its sound may be late by that.
      if !file.file.hasSuffix("avi") { #expect(abs(atan2(c, s)) / (2 * .pi * 440) < 1e-3, "\(file.file)") }
    }
  }

  @Test func `a display matrix turns the frames`() throws {
    let original = Fixture.committed.appending(path: "video/pattern_other_rate.mp4")
    var bytes = try Data(contentsOf: original)
    let header = try #require(bytes.firstRange(of: Data("tkhd".utf8))).lowerBound
    // A quarter turn clockwise: x' = -y, y' = x, as phones write it.
    let matrix: [Int32] = [0, 0x10000, 0, -0x10000, 0, 0, 0x40_0000, 0, 0x4000_0000]
    bytes.replaceSubrange(
      (header + 44)..<(header + 80),
      with: matrix.flatMap { value in withUnsafeBytes(of: value.bigEndian) { Array($0) } })
    let stored = try Media.frames(of: original, count: 2)
    let (facts, turned) = try Fixture.temporary(bytes) { (try Media.facts(of: $0), try Media.frames(of: $0, count: 2)) }
    #expect(facts.width == 64 && facts.height == 96)
    for (a, b) in zip(turned, stored) {
      #expect(a.image.width == b.image.height && a.image.height == b.image.width)
      for (x, y) in [(0, 0), (5, 70), (63, 95), (20, 33)] {
        let from = ((b.image.height - 1 - x) * b.image.width + y) * 3
        let to = (y * a.image.width + x) * 3
        #expect(a.image.pixels[to..<(to + 3)].elementsEqual(b.image.pixels[from..<(from + 3)]))
      }
    }
  }
}
