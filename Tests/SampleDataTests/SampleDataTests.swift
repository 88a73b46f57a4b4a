// Tests of the sample data set: its plan, its bytes, and that nothing but the manipulation tells real from fake.

import CLibAV
import Files
import Foundation
import Testing

@testable import SampleData

/// Area under the ROC curve of a number that should say nothing, ties counted half.
private func area(_ fake: [Double], _ real: [Double]) -> Double {
  var wins = 0.0
  for a in fake { for b in real { wins += a > b ? 1 : a == b ? 0.5 : 0 } }
  return wins / Double(fake.count * real.count)
}

/// Half the width of the 95% interval of an area of 0.5 (Hanley and McNeil 1982).
private func halfWidth(_ fake: Int, _ real: Int) -> Double {
  1.96 * (0.25 + Double(fake + real - 2) * (1.0 / 3 - 0.25)).squareRoot() / Double(fake * real).squareRoot()
}

private func allClips(seed: UInt64 = 7, pairs: Int = 12) -> [SampleClip] {
  (0..<pairs).flatMap { SamplePlan.clips(ofPair: $0, seed: seed) }
}

@Suite struct `the plan` {
  @Test func `has one real clip for two fakes, and every kind equally often for everyone`() {
    let clips = allClips()
    #expect(clips.count == 144)
    #expect(clips.map(\.number) == Array(0..<144))
    #expect(clips.count { $0.manipulation == nil } == 48)
    for kind in Manipulation.allCases {
      let made = clips.filter { $0.manipulation == kind }
      #expect(made.count == 24)
      #expect(made.count { $0.interval != nil } == 8, "a third of \(kind) is fake in part")
    }
    for pair in 0..<12 {
      for member in 0..<2 {
        let own = clips.filter { $0.pair == pair && $0.recording.member == member }
        #expect(own.count { $0.manipulation == nil } == 2)
        for kind in Manipulation.allCases { #expect(own.count { $0.manipulation == kind } == 1) }
      }
    }
  }

  @Test func `borrows and derives within the pair only`() {
    let clips = allClips()
    for clip in clips {
      let source = clips[clip.source]
      #expect(source.pair == clip.pair && source.manipulation == nil && source.recording == clip.recording)
      #expect((clip.borrowedSound != nil) == (clip.manipulation == .lipsync))
      #expect(clip.borrowedSound != clip.recording)
    }
  }

  @Test func `does not depend on how many clips there are`() {
    let few = allClips(pairs: 3), many = allClips(pairs: 12)
    #expect(SampleManifest.text(few) == SampleManifest.text(Array(many.prefix(36))))
    #expect(SampleManifest.text(allClips(seed: 8)) != SampleManifest.text(many))
  }

  @Test func `keeps fake parts inside the clip and on whole pictures`() {
    for clip in allClips() {
      guard let interval = clip.interval else { continue }
      #expect(clip.manipulation != nil)
      #expect(interval.lowerBound >= 0 && interval.upperBound <= SamplePlan.duration)
      let length = interval.upperBound - interval.lowerBound
      #expect(length >= 0.79 && length <= 1.21)
      #expect(abs((interval.lowerBound * 25).rounded() - interval.lowerBound * 25) < 1e-9)
    }
  }
}

@Suite struct `the manifest` {
  @Test func `labels each stream by what was done to it`() throws {
    let reader = try CSVReader(Array(SampleManifest.text(allClips()).utf8), name: "manifest")
    #expect(reader.header == SampleManifest.columns)
    let expected = [
      "": "real real real", "face": "fake real fake", "voice": "fake fake real", "face+voice": "fake fake fake",
      "lipsync": "fake real real",
    ]
    var rows = 0
    try reader.forEachRow { _, fields in
      let row = Dictionary(uniqueKeysWithValues: zip(reader.header, fields))
      let labels = "\(row["label"]!) \(row["audio_label"]!) \(row["visual_label"]!)"
      #expect(labels == expected[row["type"]!])
      #expect(row["identity"]!.dropLast().hasSuffix(row["group"]!.suffix(2)))
      rows += 1
    }
    #expect(rows == 144)
  }
}

@Suite struct `the sound` {
  @Test func `tells nothing by level or leading silence alone`() {
    // All 144 clips: sound is cheap without pictures.
    var level: [Bool: [Double]] = [:], silence: [Bool: [Double]] = [:]
    for pair in 0..<12 {
      let clips = SamplePlan.clips(ofPair: pair, seed: 7)
      let studio = PairStudio(seed: 7, pair: pair, clips: clips)
      for clip in clips {
        let sound = studio.sound(of: clip), isFake = clip.manipulation != nil
        #expect(sound.count == SpeechScript.sampleCount)
        #expect(sound.allSatisfy { $0.isFinite && abs($0) <= 1 }, "\(clip.name) clips")
        let power = sound.reduce(0) { $0 + Double($1) * Double($1) } / Double(sound.count)
        level[isFake, default: []].append(10 * log10(power))
        // The first 10 ms that are within 25 dB of the clip's own level.
        let first = (0..<200).first { block in
          let part = sound[(block * 160)..<(block * 160 + 160)]
          return part.reduce(0) { $0 + Double($1) * Double($1) } / 160 > power * pow(10, -2.5)
        }
        silence[isFake, default: []].append(Double(first ?? 200))
      }
    }
    for (name, probe) in [("level", level), ("leading silence", silence)] {
      let value = area(probe[true]!, probe[false]!)
      #expect(abs(value - 0.5) < halfWidth(96, 48), "\(name) alone tells real from fake: AUC \(value)")
    }
  }

  @Test func `of a lip-sync fake is another clip's, with no seam where it changes`() {
    for pair in 0..<6 {
      let clips = SamplePlan.clips(ofPair: pair, seed: 7)
      for id in Set(clips.map(\.recording)) {
        let speech = Recording(seed: 7, pair: pair, id: id).speech
        // Everyone pauses around the middle, so that sounds can be exchanged there.
        let pause = speech.samples[15_600..<16_400].reduce(0) { max($0, abs($1)) }
        #expect(pause < speech.level, "pair \(pair) \(id) speaks through the pause: \(pause) of \(speech.level)")
      }
    }
  }

  @Test func `opens the mouth when it is loud`() {
    let speech = Recording(seed: 7, pair: 0, id: SampleClip.Recording(member: 0, take: 0)).speech
    var loud: [Float] = [], open: [Float] = []
    for picture in 0..<50 {
      let part = speech.samples[(picture * 640)..<(picture * 640 + 640)]
      loud.append((part.reduce(0) { $0 + $1 * $1 } / 640).squareRoot())
      open.append(speech.mouth[picture].opening)
    }
    func centred(_ values: [Float]) -> [Float] { values.map { $0 - values.reduce(0, +) / Float(values.count) } }
    let (a, b) = (centred(loud), centred(open))
    let both = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
    let norm = a.reduce(0) { $0 + $1 * $1 }.squareRoot() * b.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(both / norm > 0.6)
  }
}

@Suite struct `the files` {
  private func folder() -> URL {
    FileManager.default.temporaryDirectory.appendingPathComponent("unmask-sample-\(UInt64.random(in: 0 ... .max))")
  }

  @Test func `are the same bytes for a seed whatever the threads, decode, and are not larger when fake`() throws {
    let (first, second) = (folder(), folder())
    defer { for place in [first, second] { try? FileManager.default.removeItem(at: place) } }
    try SampleDataSet.write(to: first, clips: 24, seed: 7, threads: 2)
    try SampleDataSet.write(to: second, clips: 12, seed: 7, threads: 1)
    var sizes: [Bool: [Double]] = [:]
    for clip in allClips(pairs: 2) {
      let path = first.appendingPathComponent("clips/\(clip.name).mp4")
      let bytes = try readFile(path)
      if clip.number < 12 {
        #expect(try readFile(second.appendingPathComponent("clips/\(clip.name).mp4")) == bytes, "\(clip.name)")
      }
      sizes[clip.manipulation != nil, default: []].append(Double(bytes.count))
      #expect(durationInMicroseconds(path) == 2_000_000, "\(clip.name)")
    }
    #expect(area(sizes[true]!, sizes[false]!) == 0.5)
    let names = try FileManager.default.contentsOfDirectory(atPath: first.path).sorted()
    #expect(names == ["README.txt", "clips", "manifest.csv"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: first.path + "/clips").count == 24)
    // A second run leaves a whole set alone, and another seed does not.
    #expect(try SampleDataSet.write(to: second, clips: 12, seed: 7) == .wasThere)
    #expect(try SampleDataSet.write(to: second, clips: 12, seed: 8) == .written)
  }

  @Test func `are refused for a count that is not whole pairs`() {
    #expect {
      try SampleDataSet.write(to: folder(), clips: 100, seed: 7)
    } throws: { error in
      "\(error)".contains("multiple of 12, such as 96")
    }
  }

  @Test func `of a folder that cannot be made are one sentence`() {
    #expect {
      try SampleDataSet.write(to: URL(fileURLWithPath: "/dev/null/sample"), clips: 12, seed: 7)
    } throws: { error in
      error is FileProblem && "\(error)".contains("/dev/null/sample")
    }
  }

  private func durationInMicroseconds(_ file: URL) -> Int64 {
    var format: UnsafeMutablePointer<AVFormatContext>?
    guard avformat_open_input(&format, file.path, nil, nil) == 0 else { return -1 }
    defer { avformat_close_input(&format) }
    guard avformat_find_stream_info(format, nil) >= 0, format!.pointee.nb_streams == 2 else { return -2 }
    return format!.pointee.duration
  }
}
