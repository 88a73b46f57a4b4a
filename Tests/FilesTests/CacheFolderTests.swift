import Foundation
import Glibc
import Synchronization
import Testing

@testable import Files

@Suite struct `a cache folder` {
  private let url = FileManager.default.temporaryDirectory.appending(path: "unmask-cache-\(UUID().uuidString)")

  private final class Remover: Sendable {
    let url: URL
    init(_ url: URL) { self.url = url }
    deinit { try? FileManager.default.removeItem(at: url) }
  }
  private let remover: Remover

  init() { remover = Remover(url) }

  /// A thousand bytes that a number decides.
  private func content(_ number: Int) -> [UInt8] { (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) } }

  private func get(
    _ folder: CacheFolder, _ number: Int, fetched: ((Int) -> Void)? = nil
  ) throws -> CachePin {
    let bytes = content(number)
    return try folder.file(named: "\(number)", size: bytes.count, sha256: sha256(bytes)) { place in
      fetched?(number)
      try Data(bytes).write(to: place)
    }
  }

  private func isThere(_ number: Int) -> Bool {
    FileManager.default.fileExists(atPath: url.appending(path: "files/\(number)").path)
  }

  @Test func `fetches once, also for another process, and lets go of what was used longest ago`() throws {
    let folder = try CacheFolder(url, limit: 3_500)
    for number in 1...3 {
      _ = try get(folder, number)
      usleep(20_000)  // file times are as fine as the kernel's clock ticks
    }
    _ = try get(folder, 1) { _ in Issue.record("it was fetched again") }
    let other = try CacheFolder(url, limit: 3_500)
    _ = try get(other, 3) { _ in Issue.record("the other process fetched it again") }
    usleep(20_000)
    _ = try get(other, 4)
    #expect(isThere(1) && !isThere(2) && isThere(3) && isThere(4))
    #expect(folder.use == 3_000 && other.use == 3_000)
  }

  @Test func `keeps what is pinned, and says so when nothing else can go`() throws {
    let folder = try CacheFolder(url, limit: 2_500)
    let other = try CacheFolder(url, limit: 2_500)
    let pins = try [get(folder, 1), get(folder, 2)]
    let error = #expect(throws: FileProblem.self) { try get(other, 3) }
    #expect(error?.isFull == true && error?.description.contains("raise --cache-limit") == true)
    #expect(isThere(1) && isThere(2) && folder.use == 2_000)
    withExtendedLifetime(pins) {}
  }

  @Test func `keeps what was used since a hold began, until its process lets go`() throws {
    // Three quarters of it, so that there is always room for a file to fetch.
    let folder = try CacheFolder(url, limit: 4_000)
    func keep(_ name: String) throws -> Bool {
      guard try folder.reserve(1000) else { return false }
      try writeAtomically(content(0), to: url.appending(path: "logmel/\(name)"))
      usleep(20_000)
      return true
    }
    #expect(try keep("old") && keep("used"))
    var hold: CacheHold? = try folder.hold()
    usleep(20_000)
    folder.touch(url.appending(path: "logmel/used"))
    #expect(try keep("new") && keep("newer"))
    let names = { try FileManager.default.contentsOfDirectory(atPath: url.appending(path: "logmel").path).sorted() }
    #expect(try names() == ["new", "newer", "used"])
    #expect(try !keep("one too many"))
    #expect(try get(folder, 1).url.lastPathComponent == "1")
    hold = nil
    let other = try CacheFolder(url, limit: 4_000)
    #expect(try other.reserve(1000))
    try writeAtomically(content(0), to: url.appending(path: "logmel/last"))
    #expect(try names().contains("last") && names().count <= 3)
    withExtendedLifetime(hold) {}
  }

  @Test func `checks content when it arrives, and again after a restart`() throws {
    let folder = try CacheFolder(url, limit: 10_000)
    let times = Mutex(0)
    func fetch(_ folder: CacheFolder, badTimes: Int) throws -> CachePin {
      try folder.file(named: "x.mp4", size: 1000, sha256: sha256(content(9))) { place in
        let time = times.withLock { times in
          times += 1
          return times
        }
        try Data(time <= badTimes ? content(8) : content(9)).write(to: place)
      }
    }
    #expect(throws: FileProblem.self) { try fetch(folder, badTimes: 9) }
    #expect(times.withLock { $0 } == 3 && folder.use == 0)
    times.withLock { $0 = 0 }
    let place = try fetch(folder, badTimes: 1).url
    #expect(times.withLock { $0 } == 2)
    var bytes = try Data(contentsOf: place)
    bytes[500] ^= 1
    try bytes.write(to: place)
    // A process that starts anew does not trust what it finds.
    let later = try CacheFolder(url, limit: 10_000)
    #expect(try Data(contentsOf: fetch(later, badTimes: 0).url) == Data(content(9)))
    #expect(times.withLock { $0 } == 3 && later.use == 1000)
  }

  @Test func `a fetch that fails leaves nothing behind, and one killed long ago is cleared away`() throws {
    struct Broken: Error {}
    let folder = try CacheFolder(url, limit: 10_000)
    #expect(throws: Broken.self) {
      try folder.file(named: "y", size: 1000, sha256: sha256(content(1))) { _ in throw Broken() }
    }
    #expect(folder.use == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: url.appending(path: "files").path).isEmpty)
    let leftover = url.appending(path: "files/z.tmp-1-2")
    try Data(content(1)).write(to: leftover)
    _ = try CacheFolder(url)
    #expect(FileManager.default.fileExists(atPath: leftover.path), "it may be under way")
    var times = [timespec(tv_sec: time(nil) - 700, tv_nsec: 0), timespec(tv_sec: time(nil) - 700, tv_nsec: 0)]
    utimensat(AT_FDCWD, leftover.path, &times, 0)
    #expect(try CacheFolder(url).use == 0)
    #expect(!FileManager.default.fileExists(atPath: leftover.path))
  }

  @Test func `many threads that want the same file fetch it once`() throws {
    let folder = try CacheFolder(url, limit: 100_000)
    let fetches = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: 8) { index in
      for number in 0..<20 {
        let pin = try? get(folder, number) { _ in
          fetches.withLock { $0 += 1 }
          usleep(1_000)
        }
        #expect(pin.flatMap { try? Data(contentsOf: $0.url) } == Data(content(number)))
      }
    }
    #expect(fetches.withLock { $0 } == 20 && folder.use == 20_000)
  }
}

@Suite struct `sizes` {
  @Test func `are written and read as people do`() {
    #expect(ByteSize.text(812) == "812 bytes" && ByteSize.text(41_000_000) == "41 MB")
    #expect(ByteSize.text(1_600_000_000) == "1.6 GB" && ByteSize.text(999_950) == "1.0 MB")
    #expect(ByteSize.parse("20G") == 20_000_000_000 && ByteSize.parse("512 MB") == 512_000_000)
    #expect(ByteSize.parse("7") == 7 && ByteSize.parse("3k") == 3_000)
    for text in ["", "G", "1.5G", "-1G", "20X", "9999999999T"] { #expect(ByteSize.parse(text) == nil, "\(text)") }
  }
}
