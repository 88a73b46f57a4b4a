import Files
import Foundation
import Glibc
import Synchronization
import Transport
import Wire

/// Fetches contents from other workers that have them, on the thread of the job that wants them.
///
/// Whoever is slow, gone, refuses, or sends anything but the content is left, with a sentence for the log; the next one is
/// asked, and in the end the coordinator.
final class ContentFetcher: Sendable {
  /// With this word a worker says that it has a content no more.
  static let missing = "missing"
  /// What is asked for at once: little enough for a slow network to bring in time.
  static let pieceBytes = 256 << 10
  /// How long a piece may take, in milliseconds.
  static let patience = 3_000
  /// How long a handshake may take. The library forgets every other caller that it puts off until this time is up.
  static let handshake: Int32 = 1_000
  /// How long the coordinator's word about us may take to the other worker: usually, and at most.
  static let head = (usual: 30, longest: 1_000)
  /// For how long a worker that could not be reached is not tried again.
  static let pause = 60_000

  /// Why a worker did not give a content.
  struct Trouble: Error {
    let sentence: String
    /// What the coordinator is told; nil if that is for nobody but us.
    var report: HolderTrouble?
    /// Whether trying again soon is useless.
    var isLasting = false
  }

  /// The other worker has not heard of us yet.
  private struct Early: Error {}

  private struct State {
    var idle: [String: [Caller]] = [:]
    var idleCount = 0
    /// Until when addresses are not tried.
    var avoided: [String: Int] = [:]
    var isClosed = false
  }

  private let incarnation: UInt64
  private let door: PeerDoor?
  private let state = Mutex(State())

  /// With a door, it shows that door's key, and talks only to workers that show one.
  init(door: PeerDoor?, incarnation: UInt64) { (self.door, self.incarnation) = (door, incarnation) }

  /// Fetches a content from the first of some workers that gives it.
  ///
  /// - Parameters:
  ///   - check: asked now and then; throw to give up.
  ///   - failed: told of each worker that did not give it.
  /// - Returns: the name of the one that did; nil if none.
  /// - Throws: what `check` throws; `FileProblem` if the file cannot be written.
  func fetch(
    _ content: ArtifactReference, from holders: [Holder], to file: URL, check: () throws -> Void,
    failed: (Holder, Trouble) -> Void
  ) throws -> String? {
    for holder in holders {
      let now = monotonicMilliseconds()
      guard state.withLock({ ($0.avoided[holder.address] ?? now) <= now }) else { continue }
      do {
        try fetch(content, from: holder, to: file, check)
        return holder.name
      } catch let trouble as Trouble {
        if trouble.isLasting {
          state.withLock { state in
            if state.avoided.count > 1_000 { state.avoided = state.avoided.filter { $0.value > now } }
            state.avoided[holder.address] = now + Self.pause
          }
        }
        failed(holder, trouble)
      }
    }
    return nil
  }

  private func fetch(
    _ content: ArtifactReference, from holder: Holder, to file: URL, _ check: () throws -> Void
  ) throws {
    guard KeyPair.isKey(holder.key) == (door != nil) else {
      throw Trouble(sentence: "it shows no key", isLasting: true)
    }
    let line = try take(holder)
    do {
      try receive(content, holder, line, to: file, check)
    } catch {
      line.close()
      throw error
    }
    put(line, holder)
    // The bytes come from somebody who may be anything: nothing but their hash says what they are.
    guard try sha256(of: file) == content.sha256 else {
      throw Trouble(sentence: "it gave another content", report: .wrong, isLasting: true)
    }
  }

  private func receive(
    _ content: ArtifactReference, _ holder: Holder, _ line: Caller, to file: URL, _ check: () throws -> Void
  ) throws {
    let handle = open(file.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard handle >= 0 else { throw FileProblem(path: file.path, reason: String(cString: strerror(errno))) }
    defer { close(handle) }
    var transfer = UInt64.random(in: 1...UInt64.max)
    let start = monotonicMilliseconds()
    var (asked, received, sequence) = (0, 0, UInt64(0))
    var movedAt = monotonicMilliseconds()
    while received < content.size {
      while asked < content.size, asked - received < 4 * Self.pieceBytes {
        let count = min(Self.pieceBytes, content.size - asked)
        let want = DownloadWant(
          transfer: transfer, artifact: ArtifactReference(name: "content", sha256: content.sha256, size: content.size),
          offset: asked, count: count, ticket: holder.ticket)
        sequence += 1
        line.send(Packet(.downloadWant(want), sender: incarnation, session: 0, sequence: sequence).encoded())
        asked += count
      }
      try check()
      guard monotonicMilliseconds() - movedAt < Self.patience else {
        throw Trouble(
          sentence: received > 0 ? "it stopped after \(received) of \(content.size) bytes" : "it does not answer",
          isLasting: true)
      }
      switch line.receive(timeout: 100) {
      case .message(let frames)?:
        let answer: [UInt8]?
        do { answer = try piece(frames, transfer, offset: received, of: content) } catch is Early {
          guard received == 0, monotonicMilliseconds() - start < Self.head.longest else {
            throw Trouble(sentence: "it refused: \(ContentServer.unnamed)")
          }
          usleep(50_000)
          (transfer, asked) = (UInt64.random(in: 1...UInt64.max), 0)
          continue
        }
        guard let bytes = answer else { continue }
        try writePiece(bytes, to: handle, at: received, of: content.name, in: file.path)
        received += bytes.count
        movedAt = monotonicMilliseconds()
      case .refused?: throw Trouble(sentence: "it refused the connection", isLasting: true)
      case nil: break
      }
    }
  }

  /// The piece that a message brings; nil for an answer to an earlier question on the same connection.
  private func piece(
    _ frames: [[UInt8]], _ transfer: UInt64, offset: Int, of content: ArtifactReference
  ) throws -> [UInt8]? {
    let nonsense = Trouble(sentence: "it answered with something else", isLasting: true)
    guard let packet = try? Packet.decoded(frames), packet.header.session == incarnation else { throw nonsense }
    switch packet.message {
    case .downloadChunk(let chunk):
      guard chunk.transfer == transfer else { return nil }
      let (bytes, expected) = (packet.frames[0], min(Self.pieceBytes, content.size - offset))
      guard chunk.offset == offset, bytes.count == expected, crc32c(bytes) == chunk.crc else { throw nonsense }
      return bytes
    case .downloadFailed(let failed):
      guard failed.transfer == transfer else { return nil }
      if failed.reason == ContentServer.unnamed { throw Early() }
      throw Trouble(
        sentence: "it refused: \(failed.reason.prefix(200))",
        report: failed.reason.hasPrefix(Self.missing) ? .missing : nil)
    default: throw nonsense
    }
  }

  // MARK: - Connections

  private func name(_ holder: Holder) -> String { "\(holder.key) \(holder.address)" }

  /// A connection to a worker that is not in use, or a new one.
  private func take(_ holder: Holder) throws -> Caller {
    let known: Caller? = state.withLock { state in
      guard let line = state.idle[name(holder)]?.popLast() else { return nil }
      state.idleCount -= 1
      return line
    }
    if let known { return known }
    var options = SocketOptions()
    (options.isBulk, options.highWater, options.handshake) = (true, 8, Self.handshake)
    usleep(UInt32(Self.head.usual) * 1_000)
    if let door { options.security = .key(door.key(for: holder.key)) }
    do {
      return try Caller(to: holder.address, options: options)
    } catch { throw Trouble(sentence: "\(error)", isLasting: true) }
  }

  /// Keeps a connection for the next content; a few in all.
  private func put(_ line: Caller, _ holder: Holder) {
    let isKept = state.withLock { state in
      guard !state.isClosed, state.idleCount < 4 else { return false }
      state.idle[name(holder), default: []].append(line)
      state.idleCount += 1
      return true
    }
    if !isKept { line.close() }
  }

  /// Ends the connections that nobody uses: at another coordinator, when somebody's key was revoked, at the end.
  func reset(isOver: Bool = false) {
    let lines = state.withLock { state in
      defer { (state.idle, state.idleCount) = ([:], 0) }
      if isOver { state.isClosed = true }
      return state.idle.values.flatMap { $0 }
    }
    for line in lines { line.close() }
  }
}
