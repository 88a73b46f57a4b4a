// What `benchmark decode` and `benchmark features` measure and print.

import Foundation
import Media

/// Repeated passes over a list of files, and the JSON line that comes of them.
///
/// The fields are those of `benchmark train`, so that one script reads all: a sample is a file, a step one pass over all
/// files, and the middle pass counts.
struct MediaBenchmark {
  let files: [URL]
  let passes: Int

  /// One line of results.
  struct Result: Encodable {
    let model: String
    let batch: Int
    let threads: Int
    let precision: String
    let mode: String
    let step_ms: Double
    let samples_per_s: Double
    let parameters: Int
    /// Pictures and frames decoded per second, in millions of pixels.
    let megapixels_per_s: Double
    /// Seconds of sound per second.
    let sound_seconds_per_s: Double

    /// The result as one line of JSON.
    func line() throws -> String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }

  /// Decodes every file as a sample of its kind: a picture whole, a sound whole, of a video `frames` frames and the sound.
  func decode(frames: Int) throws -> Result {
    let kinds = Set(try files.map { try Media.facts(of: $0).kind.rawValue }).sorted()
    return try measure(model: "decode", precision: "uint8", mode: kinds.joined(separator: "+")) { url in
      var work = Work()
      let reader = try MediaReader(url)
      switch reader.facts.kind {
      case .image: work.count(try reader.image())
      case .sound: work.count(try reader.sound())
      case .video:
        for frame in try reader.frames(count: frames) { work.count(frame.image) }
        if reader.facts.hasAudio { work.count(try reader.sound()) }
      }
      return work
    }
  }

  /// From samples at 16 kHz, decoded beforehand, to log-mel bands.
  func features(bands: Int) throws -> Result {
    var sounds: [URL: [Float]] = [:]
    for url in files { sounds[url] = try Media.sound(at: url).mono16k().samples }
    let spectrogram = Spectrogram(.torchaudioMel(bands: bands))
    return try measure(model: "features", precision: "fp32", mode: "log-mel-\(bands)") { url in
      let samples = sounds[url]!
      precondition(spectrogram.logBands(samples).rows == bands, "MediaBenchmark: the feature has other rows.")
      return Work(pixels: 0, soundSeconds: Double(samples.count) / 16_000)
    }
  }

  private struct Work {
    var pixels = 0
    var soundSeconds = 0.0

    mutating func count(_ image: ImagePixels) { pixels += image.width * image.height }
    mutating func count(_ sound: Sound) { soundSeconds += sound.duration }
  }

  private func measure(
    model: String, precision: String, mode: String, _ sample: (URL) throws -> Work
  ) throws -> Result {
    var times: [Double] = []
    var total = Work()
    for pass in 0...passes {
      total = Work()
      let start = DispatchTime.now().uptimeNanoseconds
      for url in files {
        let work = try sample(url)
        total.pixels += work.pixels
        total.soundSeconds += work.soundSeconds
      }
      let elapsed = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
      if pass > 0 { times.append(elapsed) }  // the first one warms up caches, plans and filter tables
    }
    let time = times.sorted()[times.count / 2]
    func rounded(_ x: Double) -> Double { (x * 100).rounded() / 100 }
    return Result(
      model: model, batch: files.count, threads: 1, precision: precision, mode: mode, step_ms: rounded(time * 1000),
      samples_per_s: rounded(Double(files.count) / time), parameters: 0,
      megapixels_per_s: rounded(Double(total.pixels) / 1e6 / time),
      sound_seconds_per_s: rounded(total.soundSeconds / time))
  }
}
