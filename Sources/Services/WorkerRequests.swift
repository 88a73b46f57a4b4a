import Coordination
import Files
import Foundation
import Glibc
import ShardTree
import Synchronization
import Transport
import Wire

/// The answer that a compute thread waits for.
typealias Answer<Value: Sendable> = Mailbox<Result<Value, any Error>>

/// What compute threads ask of the worker's service thread.
enum WorkerRequest: Sendable {
  case upload(UploadBegin, file: URL, Answer<Void>)
  case download(ArtifactReference, token: UInt64, to: URL, elsewhere: Bool, Answer<DownloadEnd>)
  case held(String)
  case holderFailed(HolderFailed)
  case reduce(
    job: String, token: UInt64, step: Int, kind: ElementKind, own: [ReduceExchange.Contribution], shards: Int,
    Answer<[UInt8]>, Pulse)
  /// Nobody waits for that sum any more.
  case endReduce(token: UInt64, step: Int)
  case group(token: UInt64, Message)
  case metrics(Metrics)
  case log(Log)
  case finished(token: UInt64, outputs: [ArtifactReference])
  case failed(token: UInt64, FailureCode, sentence: String)
  case isReady(any JobRunner)
  case cannotStart(sentence: String)
}

/// The way from compute threads to the service thread.
final class WorkerRequests: Sendable {
  /// How many jobs in a row could not be done for this machine's own reasons.
  let troubles = Atomic(0)
  private let waiting = Mutex<[WorkerRequest]>([])
  private let wake: @Sendable () -> Void

  init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

  func put(_ request: WorkerRequest) {
    waiting.withLock { $0.append(request) }
    wake()
  }

  func take() -> [WorkerRequest] {
    waiting.withLock { requests in
      defer { requests = [] }
      return requests
    }
  }
}

/// How a download ended.
enum DownloadEnd: Sendable {
  /// The file is there; what the coordinator passed on came from these workers.
  case complete(sources: Set<String>)
  /// These workers have it.
  case elsewhere([Holder])
}

/// When something was last heard of.
final class Pulse: Sendable {
  private let last = Atomic(monotonicMilliseconds())

  func beat() { last.store(monotonicMilliseconds(), ordering: .relaxed) }

  /// Milliseconds without a beat.
  var silence: Int { monotonicMilliseconds() - last.load(ordering: .relaxed) }
}

/// An upload under way. The service thread alone touches it.
final class UploadExchange {
  let begin: UploadBegin
  let answer: Answer<Void>
  private let handle: Int32
  private var sent = 0

  init?(_ begin: UploadBegin, file: URL, _ answer: Answer<Void>) {
    handle = open(file.path, O_RDONLY | O_CLOEXEC)
    guard handle >= 0 else { return nil }
    (self.begin, self.answer) = (begin, answer)
  }

  deinit { close(handle) }

  /// The first message: at the beginning, and again on a new connection.
  func start() -> Message {
    sent = 0
    return .uploadBegin(begin)
  }

  /// The pieces that may be sent now; nil if the file cannot be read any more.
  func pieces(upTo limit: Int) -> [(Message, [UInt8])]? {
    var pieces: [(Message, [UInt8])] = []
    while sent < min(limit, begin.artifact.size) {
      let count = min(Packet.frameLimit, begin.artifact.size - sent)
      guard let bytes = readPiece(handle, sent, count) else { return nil }
      let chunk = UploadChunk(transfer: begin.transfer, offset: sent, crc: crc32c(bytes))
      pieces.append((.uploadChunk(chunk), bytes))
      sent += count
    }
    return pieces
  }
}

/// A download under way. The service thread alone touches it.
final class DownloadExchange {
  let artifact: ArtifactReference
  let token: UInt64
  let answer: Answer<DownloadEnd>
  private let transfer: UInt64
  private let handle: Int32
  private let path: String
  private var received = 0
  private var asked = 0
  /// Whether the coordinator may still say that others have it.
  private var elsewhere: Bool
  private var sources: Set<String> = []

  init?(
    _ artifact: ArtifactReference, token: UInt64, transfer: UInt64, to file: URL, elsewhere: Bool,
    _ answer: Answer<DownloadEnd>
  ) {
    self.elsewhere = elsewhere
    handle = open(file.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard handle >= 0 else { return nil }
    (self.artifact, self.token, self.transfer, self.answer) = (artifact, token, transfer, answer)
    path = file.path
  }

  deinit { close(handle) }

  var isComplete: Bool { received >= artifact.size }
  var end: DownloadEnd { .complete(sources: sources) }

  /// Goes on from what has arrived, on a new connection.
  func restart() { asked = received }

  /// What to ask for now: at most four pieces are under way, so that nobody's memory fills; the first one alone where the
  /// answer may be that others have it.
  func wants() -> [Message] {
    var messages: [Message] = []
    while asked < artifact.size, asked - received < (elsewhere ? 1 : 4) * Packet.frameLimit {
      let count = min(Packet.frameLimit, artifact.size - asked)
      messages.append(
        .downloadWant(
          DownloadWant(transfer: transfer, artifact: artifact, offset: asked, count: count, elsewhere: elsewhere)))
      asked += count
    }
    return messages
  }

  /// Takes a piece; a damaged or unexpected one is asked for again.
  ///
  /// - Throws: `FileProblem` if it cannot be written.
  func take(_ chunk: DownloadChunk, _ bytes: [UInt8]) throws {
    let count = min(Packet.frameLimit, artifact.size - received)
    guard chunk.offset == received, bytes.count == count, crc32c(bytes) == chunk.crc else {
      if chunk.offset == received { restart() }
      return
    }
    try writePiece(bytes, to: handle, at: received, of: artifact.name, in: path)
    received += count
    elsewhere = false
    if !chunk.source.isEmpty, sources.count < 8 { sources.insert(chunk.source) }
  }
}

/// A sum over a group under way through the coordinator. The service thread alone touches it.
final class ReduceExchange {
  /// One node's vector.
  struct Contribution: Sendable {
    let node: Range<Int>
    let bytes: [UInt8]
  }

  let token: UInt64
  let step: Int
  let answer: Answer<[UInt8]>
  private let job: String
  private let kind: ElementKind
  private let own: [Contribution]
  private let shards: Int
  private let pulse: Pulse
  private var result: [UInt8] = []
  private var missing: Set<Int> = []

  init(
    job: String, token: UInt64, step: Int, kind: ElementKind, own: [Contribution], shards: Int,
    _ answer: Answer<[UInt8]>, _ pulse: Pulse
  ) {
    (self.job, self.token, self.step, self.kind) = (job, token, step, kind)
    (self.own, self.shards, self.answer, self.pulse) = (own, shards, answer, pulse)
    size((own.first?.bytes.count ?? 0) / kind.size)
  }

  private func size(_ total: Int) {
    result = [UInt8](repeating: 0, count: total * kind.size)
    missing = Set(stride(from: 0, to: total, by: ReduceRounds.pieceElements))
  }

  private var total: Int { result.count / kind.size }

  private func bytes(at offset: Int) -> Range<Int> {
    offset * kind.size..<min(result.count, (offset + ReduceRounds.pieceElements) * kind.size)
  }

  /// The pieces without a result: all at the beginning, the rest on a new connection. A member without vectors says so
  /// once, and gets what the others have.
  func pieces() -> [(Message, [[UInt8]])] {
    func message(_ offset: Int, _ nodes: [Node]) -> Message {
      .reduceSums(
        ReduceSums(
          job: job, token: token, step: step, kind: Int(kind.rawValue), shards: shards, offset: offset,
          total: own.isEmpty ? 0 : total, nodes: nodes))
    }
    guard !own.isEmpty else { return [(message(0, []), [])] }
    return missing.sorted().map { offset in
      let frames = own.map { [UInt8]($0.bytes[bytes(at: offset)]) }
      let nodes = zip(own, frames).map { Node(low: $0.node.lowerBound, high: $0.node.upperBound, crc: crc32c($1)) }
      return (message(offset, nodes), frames)
    }
  }

  /// Takes a piece of the result; the whole when it was the last.
  func take(_ piece: ReduceResult, _ bytes: [UInt8]) -> [UInt8]? {
    guard piece.step == step else { return nil }
    if result.isEmpty, piece.total <= 1 << 32 { size(piece.total) }
    guard piece.total == total, missing.contains(piece.offset), crc32c(bytes) == piece.crc else { return nil }
    let place = self.bytes(at: piece.offset)
    guard bytes.count == place.count else { return nil }
    missing.remove(piece.offset)
    pulse.beat()
    result.replaceSubrange(place, with: bytes)
    return missing.isEmpty ? result : nil
  }
}

/// Exactly `count` bytes from a position; nil if they are not there.
func readPiece(_ handle: Int32, _ offset: Int, _ count: Int) -> [UInt8]? {
  var done = 0
  let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
    while done < count {
      let result = pread(handle, buffer.baseAddress! + done, count - done, offset + done)
      if result < 0 && errno == EINTR { continue }
      guard result > 0 else { break }
      done += result
    }
    filled = done
  }
  return done == count ? bytes : nil
}

/// Writes bytes at a position.
///
/// - Throws: `FileProblem`, which says whether the disk is full.
func writePiece(_ bytes: [UInt8], to handle: Int32, at offset: Int, of name: String, in path: String) throws {
  var done = 0
  while done < bytes.count {
    let result = bytes.withUnsafeBytes { pwrite(handle, $0.baseAddress! + done, bytes.count - done, offset + done) }
    if result < 0 && errno == EINTR { continue }
    guard result > 0 else {
      let code = errno
      throw FileProblem(
        path: path, reason: "\(name) cannot be stored: \(String(cString: strerror(code)))",
        advice: "free some space on this machine", isFull: code == ENOSPC || code == EDQUOT)
    }
    done += result
  }
}
