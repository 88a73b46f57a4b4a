import Files
import Foundation
import Media
import Models
import Synchronization
import Testing

@testable import Training

enum MediaErrorStub {
  static func damaged(_ file: URL) -> MediaError { MediaError(.damaged, file, "breaks off") }
}

@Suite struct `sample cache` {
  private let input = Preprocessing.frames(.init(count: 3, size: 4))

  @Test func `decodes once`() throws {
    let folder = try TemporaryFolder()
    _ = try folder.cache.sample(of: TinyTask.sample(5), input: input)
    let second = SampleCache(folder.url.appending(path: "cache")) { file, _ in throw MediaErrorStub.damaged(file) }
    #expect(try second.sample(of: TinyTask.sample(5), input: input) == .ready(TinyTask.pictures(5)))
  }

  @Test(arguments: [0, 9, 20, 64, 150]) func `makes a damaged entry again`(position: Int) throws {
    let folder = try TemporaryFolder()
    _ = try folder.cache.sample(of: TinyTask.sample(5), input: input)
    let files = FileManager.default.enumerator(at: folder.url, includingPropertiesForKeys: nil)!
      .compactMap { $0 as? URL }.filter { $0.pathExtension == "sample" }
    var bytes = try Data(contentsOf: files[0])
    bytes[position] ^= 1
    try bytes.write(to: files[0])
    #expect(try folder.cache.sample(of: TinyTask.sample(5), input: input) == .ready(TinyTask.pictures(5)))
    bytes = bytes.prefix(100)
    try bytes.write(to: files[0])
    #expect(try folder.cache.sample(of: TinyTask.sample(5), input: input) == .ready(TinyTask.pictures(5)))
  }

  @Test func `keeps the reason of a failure`() throws {
    let folder = try TemporaryFolder()
    let failing = SampleCache(folder.url.appending(path: "cache")) { file, _ in throw MediaErrorStub.damaged(file) }
    #expect(try failing.sample(of: TinyTask.sample(5), input: input) == .failed("breaks off"))
    #expect(try folder.cache.sample(of: TinyTask.sample(5), input: input) == .failed("breaks off"))
  }

  @Test func `does not keep a missing file as a failure`() throws {
    let folder = try TemporaryFolder()
    let cache = SampleCache(folder.url.appending(path: "cache"))
    #expect(throws: (any Error).self) { _ = try cache.sample(of: TinyTask.sample(5), input: input) }
    #expect(try folder.cache.sample(of: TinyTask.sample(5), input: input) == .ready(TinyTask.pictures(5)))
  }

  @Test func `tells preprocessings apart, but not normalisations`() {
    #expect(input.cacheKey != Preprocessing.frames(.init(count: 3, size: 5)).cacheKey)
    #expect(input.cacheKey == Preprocessing.frames(.init(count: 3, size: 4, mean: [0, 0, 0])).cacheKey)
  }

  /// Files that come from elsewhere, and a place with or without room.
  private struct Elsewhere: SampleFiles {
    let hasRoom: Bool
    let asked = Counter()
    func with<Result>(_ item: ModelSample, _ body: (URL) throws -> Result) throws -> Result {
      asked.add()
      return try body(URL(filePath: "/fetched/\(item.id)"))
    }
    func mayKeep(_ bytes: Int) -> Bool { hasRoom }
    func used(_ kept: URL) {}
  }

  @Test(arguments: [true, false]) func `asks for a file only where nothing is kept`(hasRoom: Bool) throws {
    let folder = try TemporaryFolder()
    let files = Elsewhere(hasRoom: hasRoom)
    let cache = SampleCache(folder.url.appending(path: "cache"), files: files) { file, _ in
      guard file.path.hasPrefix("/fetched/") else { throw MediaErrorStub.damaged(file) }
      return TinyTask.pictures(5)
    }
    for _ in 0..<3 {
      #expect(try cache.sample(of: TinyTask.sample(5), input: input) == .ready(TinyTask.pictures(5)))
    }
    #expect(files.asked.value == (hasRoom ? 1 : 3))
  }

  @Test func `reads floats as they were written`() throws {
    let sample = PreparedSample([1.5, -.infinity, 0x1p-140], shape: [3, 1])
    #expect(PreparedSample(encoded: sample.encoded()) == sample)
  }
}

private final class Counter: Sendable {
  private let count = Mutex(0)
  func add() { count.withLock { $0 += 1 } }
  var value: Int { count.withLock { $0 } }
}
