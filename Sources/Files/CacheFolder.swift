public import Foundation
import Glibc
import Synchronization

/// A folder of files that can be had or made again, bounded in size. Several processes may share it.
///
///     let folder = try CacheFolder(url, limit: 20_000_000_000)
///     let hold = try folder.hold()                          // what is used from now on stays until `hold` goes
///     let pin = try folder.file(named: "files/clip.mp4", size: size, sha256: hash) { try download(to: $0) }
///     decode(pin.url)                                       // stays there as long as `pin` lives
///
/// When there is no room, what was used longest ago goes first: fetched files (under `files/`), then everything else. Not
/// what is pinned, and not what was used since the oldest hold that some process has. Files appear by rename; a file's
/// last use is its modification time. All bookkeeping is in files and in locks that end with their process, so that
/// nothing needs mending after a crash.
///
/// - Thread: any.
public final class CacheFolder: Sendable {
  /// The folder.
  public let url: URL
  /// How many bytes its files may have.
  public let limit: Int
  /// How many of them what was made from fetched files may have: the rest stays free for the next one to fetch.
  private let keptLimit: Int
  /// When there was last no room although everything was looked at: for a moment nobody need look again.
  private let wasFull = Mutex<ContinuousClock.Instant?>(nil)
  /// Which files this process has checked: the file's number by its path, for nobody changes one in its place.
  private let checked = Mutex<[String: UInt]>([:])

  /// The part of the folder with files that came from elsewhere.
  static let fetched = "files/"

  /// Opens the folder, making it if it is missing, and removes what killed processes left half-written.
  ///
  /// - Parameter limit: by default four fifths of what it has and of what the disk has free.
  /// - Throws: `FileProblem`.
  /// - Cost: a look at every file in it.
  public init(_ url: URL, limit: Int? = nil) throws {
    try makeFolder(url.appending(path: ".jobs"))
    try makeFolder(url.appending(path: ".fetching"))
    self.url = url
    let inventory = CacheInventory(url)
    self.limit = try limit ?? (inventory.use.total + Self.free(url)) / 5 * 4
    keptLimit = self.limit / 4 * 3
    try withLock {
      inventory.removeLeftovers()
      try write(CacheInventory(url).use)
    }
  }

  private static func free(_ url: URL) throws -> Int {
    var facts = statvfs()
    _ = try call("looking for free space", url.path) { statvfs(url.path, &facts) }
    return Int(facts.f_bavail) * Int(facts.f_frsize)
  }

  // MARK: Room

  /// Takes so many bytes for a file that is about to be written outside `files/`; what was used longest ago goes if it
  /// must.
  ///
  /// - Returns: false if what is in use leaves no room.
  /// - Throws: `FileProblem`.
  public func reserve(_ bytes: Int) throws -> Bool {
    if let last = wasFull.withLock({ $0 }), ContinuousClock.now - last < .seconds(2) { return false }
    let fits = try reserve(CacheUse(kept: bytes))
    if !fits { wasFull.withLock { $0 = .now } }
    return fits
  }

  private func reserve(_ new: CacheUse) throws -> Bool {
    try withLock {
      let fits = { (use: CacheUse) in
        use.total + new.total <= self.limit && (new.kept == 0 || use.kept + new.kept <= self.keptLimit)
      }
      var use = readUse()
      if !fits(use) {
        // A little more than needed, so that the next file need not look at the whole folder again.
        let slack = limit / 50
        use = CacheInventory(url).evict(
          toTotal: max(0, limit - new.total - slack), kept: new.kept == 0 ? .max : max(0, keptLimit - new.kept - slack))
      }
      try write(fits(use) ? use + new : use)
      return fits(use)
    }
  }

  /// Gives back what was reserved and not written, or what was removed.
  private func release(_ use: CacheUse) { try? withLock { try write(readUse() - use) } }

  /// Notes that a file is being used.
  public func touch(_ file: URL) { utimensat(AT_FDCWD, file.path, nil, 0) }

  /// Keeps everything that is used from now on, until the hold is let go.
  ///
  /// - Throws: `FileProblem`.
  public func hold() throws -> CacheHold {
    try withLock { try CacheHold(url.appending(path: ".jobs/\(getpid())-\(UInt64.random(in: 0...UInt64.max))")) }
  }

  /// The bytes that all its files have, as far as the processes that share it have counted.
  public var use: Int { (try? withLock { readUse().total }) ?? 0 }

  private func readUse() -> CacheUse {
    let text = String(decoding: (try? readFile(url.appending(path: ".use"))) ?? [], as: UTF8.self)
    return CacheUse(text) ?? CacheInventory(url).use
  }

  // Without a flush: after a crash of the machine it is counted anew.
  private func write(_ use: CacheUse) throws {
    let path = url.appending(path: ".use").path
    let handle = try call("writing", path) { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666) }
    defer { close(handle) }
    var text = use.text
    _ = try text.withUTF8 { bytes in try call("writing", path) { Glibc.write(handle, bytes.baseAddress, bytes.count) } }
  }

  /// Runs something while no other thread or process changes the bookkeeping.
  private func withLock<Result>(_ body: () throws -> Result) throws -> Result {
    let lock = try FileLock(url.appending(path: ".lock"))
    // Half a minute is longer than anything that happens under it: whoever has it longer was stopped.
    _ = lock.take(seconds: 30)
    defer { lock.release() }
    return try body()
  }

  // MARK: Fetched files

  /// A file of known content: the one that is here, if its content is right, or one that `fetch` writes now.
  ///
  /// - Parameters:
  ///   - name: its path below `files/`, without a leading slash.
  ///   - fetch: writes the content to a file that is there, and empty.
  ///   - isWanted: asked now and then while another thread or process fetches the same file; throw to give up.
  /// - Throws: `FileProblem` when there is no room, or when `fetch` wrote something else three times; what `fetch` throws.
  public func file(
    named name: String, size: Int, sha256 content: String, isWanted: () throws -> Void = {},
    fetch: (URL) throws -> Void
  ) throws -> CachePin {
    let place = url.appending(path: Self.fetched + name)
    if let pin = try intact(place, size, content) { return pin }
    // One fetches, the others wait; but not for ever, since whoever fetches may have been stopped.
    let lock = try FileLock(url.appending(path: ".fetching/\(content.prefix(2))"))
    defer { lock.release() }
    _ = try lock.take(seconds: 60, isWanted)
    if let pin = try intact(place, size, content) { return pin }
    let new = CacheUse(fetched: size)
    guard try reserve(new) else {
      throw FileProblem(
        path: url.path,
        reason: "running jobs use so much of the \(ByteSize.text(limit)) that the cache may have that a file of "
          + "\(ByteSize.text(size)) finds no room",
        advice: "raise --cache-limit, or name a folder on a larger disk with --cache", isFull: true)
    }
    var isKept = false
    defer { if !isKept { release(new) } }
    try makeFolder(place.deletingLastPathComponent())
    for _ in 0..<3 {
      let temporary = place.path + ".tmp-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
      let handle = try call("creating a file", temporary) {
        open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      }
      flock(handle, LOCK_SH)  // what is locked is not taken for a leftover
      var isNamed = false
      defer { if !isNamed { unlink(temporary) } }
      do { try fetch(URL(filePath: temporary)) } catch {
        close(handle)
        throw error
      }
      guard try sha256(of: URL(filePath: temporary)) == content else {
        close(handle)
        continue
      }
      // The lock stays through the rename: the file is pinned before anybody else can see it.
      let pin = CachePin(place, handle)
      _ = try call("naming", place.path) { rename(temporary, place.path) }
      (isNamed, isKept) = (true, true)
      if let identity = FileIdentity(handle) { checked.withLock { $0[place.path] = identity.inode } }
      return pin
    }
    throw FileProblem(path: place.path, reason: "it arrived three times with another content than was announced")
  }

  /// A pin on a file, if it is here with this content. A damaged one is removed.
  private func intact(_ place: URL, _ size: Int, _ content: String) throws -> CachePin? {
    let handle = open(place.path, O_RDONLY | O_CLOEXEC)
    guard handle >= 0 else { return nil }
    flock(handle, LOCK_SH)
    let pin = CachePin(place, handle)
    // It may have gone between opening and locking.
    guard let identity = FileIdentity(handle), identity.links > 0 else { return nil }
    futimens(handle, nil)
    if identity.size == size, checked.withLock({ $0[place.path] }) == identity.inode { return pin }
    if identity.size == size, try sha256(of: place) == content {
      checked.withLock { $0[place.path] = identity.inode }
      return pin
    }
    unlink(place.path)
    release(CacheUse(fetched: identity.size))
    return nil
  }
}

/// A file of a cache that stays there as long as this value lives.
public final class CachePin: Sendable {
  /// Where it is.
  public let url: URL
  private let handle: Int32

  init(_ url: URL, _ handle: Int32) { (self.url, self.handle) = (url, handle) }

  deinit { close(handle) }
}

/// What a process holds of a cache: everything that is used as long as this value lives. It ends with its process.
public final class CacheHold: Sendable {
  private let place: URL
  private let lock: FileLock

  init(_ place: URL) throws {
    self.place = place
    lock = try FileLock(place)
    _ = lock.take(seconds: 0)
  }

  deinit {
    unlink(place.path)
    lock.release()
  }
}

/// Tells whether a file is still the one that was looked at.
public struct FileIdentity: Sendable, Equatable {
  let device: UInt
  let inode: UInt
  let size: Int
  let links: UInt
  let seconds: Int
  let nanoseconds: Int

  /// Of an open file; nil if the handle is none.
  public init?(_ handle: Int32) {
    var facts = stat()
    guard fstat(handle, &facts) == 0 else { return nil }
    self.init(facts)
  }

  /// Of a path; nil if there is no such file.
  public init?(path: String) {
    var facts = stat()
    guard stat(path, &facts) == 0 else { return nil }
    self.init(facts)
  }

  /// Whether it is the same file of the same size; a cache's is touched at each use.
  public func isSame(as other: Self) -> Bool { (device, inode, size) == (other.device, other.inode, other.size) }

  /// The same for the same file, and another one once its content was written; for files of notes.
  public var text: String { "\(device) \(inode) \(size) \(seconds).\(nanoseconds)" }

  private init(_ facts: stat) {
    (device, inode, size) = (UInt(facts.st_dev), UInt(facts.st_ino), Int(facts.st_size))
    (links, seconds, nanoseconds) = (UInt(facts.st_nlink), facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec)
  }
}
