// Files that break off, lie, or were hit by stray bits: an error that names the file, or the right content.

import Foundation
import Media
import Testing

@Suite struct BrokenFiles {
  /// Everything that can be read from a file, or the error.
  enum Outcome: Equatable {
    case image(ImagePixels)
    case media(sound: Sound?, frames: [VideoFrame])
    case refused(MediaError)

    init(_ url: URL) throws {
      do {
        let facts = try Media.facts(of: url)
        if facts.kind == .image {
          self = .image(try Media.image(at: url))
        } else {
          let reader = try MediaReader(url)
          let frames = facts.hasVideo ? try reader.frames(count: 3) : []
          self = .media(sound: facts.hasAudio ? try reader.sound() : nil, frames: frames)
        }
      } catch let error as MediaError {
        self = .refused(error)
      }
    }

    /// What a fresh file of given bytes gives, and where it was.
    static func of(_ bytes: Data) throws -> (outcome: Outcome, error: MediaError?, path: String) {
      try Fixture.temporary(bytes) { url in
        let outcome = try Outcome(url)
        return (outcome, outcome.error, url.path)
      }
    }

    var error: MediaError? { if case .refused(let error) = self { error } else { nil } }
  }

  static let samples = [
    "images/420.jpg", "images/420_progressive.jpg", "images/420_restart.jpg", "images/rgba8.png", "images/gray1.png",
    "images/rgb8_interlaced.png", "pillow/lossy.webp", "pillow/lossless.webp", "pillow/cmyk.jpg", "pillow/rgb.bmp",
    "pillow/palette.gif", "pillow/rgb.tiff", "audio/flac16_16k_mono.flac", "audio/pcm16_16k_mono.wav",
    "audio/pcm8_16k_mono.wav", "audio/vorbis_16k_mono.ogg", "video/pattern.mp4", "video/pattern_bframes_faststart.mp4",
    "video/pattern_other_rate.mp4", "containers/h264_444_10bit.mkv", "containers/vp9.webm", "containers/mpeg4.avi",
    "containers/h264_open.ts", "containers/mpeg2.mpg", "containers/h264_fragments.mp4",
  ]
  /// Formats in which a missing end cannot go unnoticed.
  static let complete = ["jpg", "png", "webp", "bmp", "flac", "wav", "ogg", "mp4", "mkv", "webm", "avi"]

  /// More of everything for a long run: UNMASK_BROKEN=50.
  let effort = Int(ProcessInfo.processInfo.environment["UNMASK_BROKEN"] ?? "") ?? 1

  @Test(arguments: samples) func `a file that breaks off gives an error or its whole content`(name: String) throws {
    let url = Fixture.committed.appending(path: name)
    let bytes = try Data(contentsOf: url)
    let whole = try Outcome(url)
    #expect(whole.error == nil)
    var random = SplitMix(seed: 11)
    let edges = [1, 2, 3, 4, 8, 11, 12, 16, 20, 27, 33, 44, 64, bytes.count - 1, bytes.count - 2, bytes.count - 5]
    let lengths = edges + (0..<(24 * effort)).map { _ in Int(random.next() % UInt64(bytes.count)) }
    var refused = 0
    for length in Set(lengths) where length > 0 && length < bytes.count {
      let (outcome, error, path) = try Outcome.of(bytes.prefix(length))
      if let error {
        refused += 1
        #expect(error.path == path && !error.reason.isEmpty)
      } else if Self.complete.contains(url.pathExtension) {
        #expect(outcome == whole, "\(name) cut to \(length) of \(bytes.count) bytes")
      }
    }
    #expect(refused > 10)
  }

  @Test(arguments: samples) func `flipped bits never do more than spoil the content`(name: String) throws {
    let bytes = try Data(contentsOf: Fixture.committed.appending(path: name))
    var random = SplitMix(seed: 12)
    for round in 0..<(24 * effort) {
      var broken = bytes
      for _ in 0...(round % 4) {
        // Every other time in the headers, where the sizes are.
        let range = round % 2 == 0 ? bytes.count : min(bytes.count, 128)
        broken[Int(random.next() % UInt64(range))] ^= UInt8(1 << (random.next() % 8))
      }
      let (_, error, path) = try Outcome.of(broken)
      if let error { #expect(error.path == path && !error.reason.isEmpty) }
    }
  }

  @Test func `an empty file, a directory, a missing file and text are refused with the reason`() throws {
    let empty = try Outcome.of(Data())
    #expect(empty.error?.description == "\(empty.path): is empty")
    let text = Data("This is not a picture at all, but it is long enough to be probed.\n".utf8)
    #expect(try Outcome.of(text).error?.code == .unknownFormat)
    #expect(try Outcome.of(Data(repeating: 0, count: 100_000)).error?.code == .unknownFormat)
    let folder = FileManager.default.temporaryDirectory
    #expect(try Outcome(folder).error?.code == .unreadable)
    let missing = try Outcome(folder.appending(path: "unmask-there-is-no-such-file.png")).error
    #expect(missing?.reason.contains("No such file") == true)
  }

  @Test func `what is asked for but not there is said to be absent`() {
    let code = { (body: () throws -> Void) -> MediaError.Code? in
      do { try body() } catch { return (error as? MediaError)?.code }
      return nil
    }
    let image = Fixture.committed.appending(path: "images/rgb8.png")
    let sound = Fixture.committed.appending(path: "audio/pcm8_16k_mono.wav")
    let video = Fixture.committed.appending(path: "video/pattern.mp4")
    #expect(code { _ = try Media.sound(at: image) } == .absent)
    #expect(code { _ = try Media.frames(of: image, count: 1) } == .absent)
    #expect(code { _ = try Media.frames(of: sound, count: 1) } == .absent)
    #expect(code { _ = try Media.image(at: sound) } == .absent)
    #expect(code { _ = try Media.image(at: video) } == .absent)
  }

  @Test func `a picture that claims to be enormous is refused before memory is taken`() throws {
    // 60000 x 60000 RGBA in a PNG of a few bytes; and within the limit, but more than the data could ever hold.
    for (side, code) in [(60_000, MediaError.Code.tooLarge), (8_000, .damaged)] {
      #expect(try Outcome.of(png(side: side)).error?.code == code)
    }
    let jpeg = try Data(contentsOf: Fixture.committed.appending(path: "images/444.jpg"))
    var huge = jpeg
    let frame = try #require(jpeg.firstRange(of: Data([0xFF, 0xC0]))).lowerBound
    huge.replaceSubrange((frame + 5)..<(frame + 9), with: [0xFF, 0x00, 0xFF, 0x00])
    #expect(try Outcome.of(huge).error?.code == .tooLarge)
    var small = MediaLimits()
    small.pixels = 100
    let image = Fixture.committed.appending(path: "images/rgb8.png")
    #expect(throws: MediaError.self) { try Media.image(at: image, limits: small) }
    small.soundValues = 1000
    let sound = Fixture.committed.appending(path: "audio/flac16_16k_mono.flac")
    #expect(throws: MediaError.self) { try Media.sound(at: sound, limits: small) }
  }

  @Test func `a play list opens nothing else`() throws {
    let target = Fixture.committed.appending(path: "video/pattern.mp4").path
    let lists = [
      "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n\(target)\n#EXT-X-ENDLIST\n",
      "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
      "ffconcat version 1.0\nfile '\(target)'\n",
    ]
    for list in lists { #expect(try Outcome.of(Data(list.utf8)).error != nil) }
  }

  private func png(side: Int) -> Data {
    func chunk(_ kind: String, _ body: [UInt8]) -> [UInt8] {
      let content = Array(kind.utf8) + body
      var sum: UInt32 = 0xFFFF_FFFF
      for byte in content {
        sum ^= UInt32(byte)
        for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
      }
      return big(UInt32(body.count)) + content + big(~sum)
    }
    func big(_ x: UInt32) -> [UInt8] { withUnsafeBytes(of: x.bigEndian) { Array($0) } }
    let header = big(UInt32(side)) + big(UInt32(side)) + [8, 6, 0, 0, 0]
    let empty: [UInt8] = [0x78, 0x9C, 0x03, 0, 0, 0, 0, 1]
    return Data(
      [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10] + chunk("IHDR", header) + chunk("IDAT", empty) + chunk("IEND", []))
  }
}

/// A small generator with a seed (SplitMix64): failures must come back.
struct SplitMix {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
