import Foundation
import Glibc

/// What a cache folder has on the disk just now, and what of it may go.
struct CacheInventory {
  private struct Entry {
    let path: String
    let bytes: Int
    /// When it was last used.
    let used: timespec
    /// Fetched files go before what was made from them.
    let isFetched: Bool
  }

  private let folder: URL
  private var entries: [Entry] = []

  init(_ folder: URL) {
    self.folder = folder
    let root = folder.path
    guard let names = FileManager.default.enumerator(atPath: root) else { return }
    for case let name as String in names where !name.hasPrefix(".") {
      var facts = stat()
      let path = "\(root)/\(name)"
      guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { continue }
      entries.append(
        Entry(
          path: path, bytes: Int(facts.st_size), used: facts.st_mtim,
          isFetched: name.hasPrefix(CacheFolder.fetched)))
    }
  }

  /// What all files have together.
  var use: CacheUse {
    entries.reduce(CacheUse()) { $0 + ($1.isFetched ? CacheUse(fetched: $1.bytes) : CacheUse(kept: $1.bytes)) }
  }

  /// Removes half-written files that nobody has touched for ten minutes.
  func removeLeftovers() {
    let limit = time(nil) - 600
    for entry in entries where entry.path.contains(".tmp-") && entry.used.tv_sec < limit { _ = remove(entry.path) }
  }

  /// Removes what was used longest ago until no more bytes are left than these; returns what is left.
  func evict(toTotal total: Int, kept: Int) -> CacheUse {
    var left = use
    let oldest = oldestHold()
    let order = entries.filter { !$0.path.contains(".tmp-") }.sorted { a, b in
      if a.isFetched != b.isFetched { return a.isFetched }
      return Self.isBefore(a.used, b.used)
    }
    for entry in order {
      guard left.total > total || (!entry.isFetched && left.kept > kept) else { continue }
      if !entry.isFetched, let oldest, !Self.isBefore(entry.used, oldest) { continue }
      guard remove(entry.path) else { continue }
      left = left - (entry.isFetched ? CacheUse(fetched: entry.bytes) : CacheUse(kept: entry.bytes))
    }
    return left
  }

  /// When the oldest hold that a living process has began; nil without any. Holds of dead processes are removed.
  private func oldestHold() -> timespec? {
    let holds = folder.appending(path: ".jobs").path
    var oldest: timespec?
    for name in (try? FileManager.default.contentsOfDirectory(atPath: holds)) ?? [] {
      let path = "\(holds)/\(name)"
      var facts = stat()
      guard !remove(path), stat(path, &facts) == 0 else { continue }
      if oldest.map({ Self.isBefore(facts.st_mtim, $0) }) ?? true { oldest = facts.st_mtim }
    }
    return oldest
  }

  /// Removes a file that nobody has locked.
  private func remove(_ path: String) -> Bool {
    let handle = open(path, O_RDONLY | O_CLOEXEC)
    guard handle >= 0 else { return false }
    defer { close(handle) }
    return flock(handle, LOCK_EX | LOCK_NB) == 0 && unlink(path) == 0
  }

  private static func isBefore(_ a: timespec, _ b: timespec) -> Bool {
    (a.tv_sec, a.tv_nsec) < (b.tv_sec, b.tv_nsec)
  }
}

/// How many bytes a cache folder has, fetched ones and others.
struct CacheUse {
  var fetched = 0
  var kept = 0

  init(fetched: Int = 0, kept: Int = 0) { (self.fetched, self.kept) = (fetched, kept) }

  /// Reads what `text` wrote.
  init?(_ text: String) {
    let numbers = text.split(separator: " ").compactMap { Int($0) }
    guard numbers.count == 2, numbers.allSatisfy({ (0...(1 << 60)).contains($0) }) else { return nil }
    (fetched, kept) = (numbers[0], numbers[1])
  }

  var text: String { "\(fetched) \(kept)" }
  var total: Int { fetched + kept }

  static func + (a: Self, b: Self) -> Self { Self(fetched: a.fetched + b.fetched, kept: a.kept + b.kept) }
  static func - (a: Self, b: Self) -> Self {
    Self(fetched: max(0, a.fetched - b.fetched), kept: max(0, a.kept - b.kept))
  }
}
