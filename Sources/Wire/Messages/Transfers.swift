import CWire

// Messages that move files, in raw frames of at most 1 MiB.

/// Worker: "I want to send you this file."
public struct UploadBegin: Sendable, Equatable {
  /// The worker's number for this transfer.
  public var transfer: UInt64
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// What the file is.
  public var kind: UploadKind
  /// Its name, content and size.
  public var artifact: ArtifactReference
  /// How far the job was when it was written.
  public var progress: JobProgress

  /// Makes the message.
  public init(
    transfer: UInt64, job: String, token: UInt64, kind: UploadKind, artifact: ArtifactReference, progress: JobProgress
  ) {
    self.transfer = transfer
    self.job = job
    self.token = token
    self.kind = kind
    self.artifact = artifact
    self.progress = progress
  }
}

extension UploadBegin: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_upload_begin() }

  func fill(_ raw: inout Unmask__UploadBegin, _ arena: Arena) {
    raw.transfer = transfer
    raw.job = arena.text(job)
    raw.token = token
    raw.kind = kind.rawValue
    raw.artifact = arena.make(artifact)
    raw.progress = arena.make(progress)
  }

  init(reading raw: Unmask__UploadBegin) throws {
    transfer = raw.transfer
    job = try word(raw.job, "UploadBegin.job")
    token = raw.token
    kind = try choice(raw.kind, "UploadBegin.kind")
    artifact = try part(raw.artifact, "UploadBegin.artifact")
    progress = try part(raw.progress, "UploadBegin.progress")
  }
}

/// Worker: one raw frame of the file.
public struct UploadChunk: Sendable, Equatable {
  /// The transfer.
  public var transfer: UInt64
  /// Where the frame begins.
  public var offset: Int
  /// The frame's CRC-32C.
  public var crc: UInt32

  /// Makes the message.
  public init(transfer: UInt64, offset: Int, crc: UInt32) {
    self.transfer = transfer
    self.offset = offset
    self.crc = crc
  }
}

extension UploadChunk: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_upload_chunk() }

  func fill(_ raw: inout Unmask__UploadChunk, _ arena: Arena) {
    raw.transfer = transfer
    raw.offset = UInt64(offset)
    raw.crc = crc
  }

  init(reading raw: Unmask__UploadChunk) throws {
    transfer = raw.transfer
    offset = try number(raw.offset, "UploadChunk.offset", in: 0...largeNumber)
    crc = raw.crc
  }
}

/// Coordinator: "I have what is below `received`; send on up to `limit`."
public struct UploadCredit: Sendable, Equatable {
  /// The transfer.
  public var transfer: UInt64
  /// Bytes that arrived.
  public var received: Int
  /// Bytes that may be sent in all.
  public var limit: Int

  /// Makes the message.
  public init(transfer: UInt64, received: Int, limit: Int) {
    self.transfer = transfer
    self.received = received
    self.limit = limit
  }
}

extension UploadCredit: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_upload_credit() }

  func fill(_ raw: inout Unmask__UploadCredit, _ arena: Arena) {
    raw.transfer = transfer
    raw.received = UInt64(received)
    raw.limit = UInt64(limit)
  }

  init(reading raw: Unmask__UploadCredit) throws {
    transfer = raw.transfer
    received = try number(raw.received, "UploadCredit.received", in: 0...largeNumber)
    limit = try number(raw.limit, "UploadCredit.limit", in: 0...largeNumber)
  }
}

/// Coordinator: the file is complete, checked and kept; or not.
public struct UploadDone: Sendable, Equatable {
  /// The transfer.
  public var transfer: UInt64
  /// Whether it is.
  public var isKept: Bool
  /// Why not, for people.
  public var reason: String

  /// Makes the message.
  public init(transfer: UInt64, isKept: Bool, reason: String) {
    self.transfer = transfer
    self.isKept = isKept
    self.reason = reason
  }
}

extension UploadDone: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_upload_done() }

  func fill(_ raw: inout Unmask__UploadDone, _ arena: Arena) {
    raw.transfer = transfer
    raw.kept = isKept ? 1 : 0
    raw.reason = arena.text(reason, limit: Limits.sentence)
  }

  init(reading raw: Unmask__UploadDone) throws {
    transfer = raw.transfer
    isKept = try number(raw.kept, "UploadDone.isKept", in: 0...1) == 1
    reason = try text(raw.reason, "UploadDone.reason", limit: Limits.sentence)
  }
}

/// Worker to coordinator or to a worker that has the file, coordinator to worker for another one: "Send me these bytes of
/// that file."
public struct DownloadWant: Sendable, Equatable {
  /// The worker's number for this transfer.
  public var transfer: UInt64
  /// The file.
  public var artifact: ArtifactReference
  /// Where to begin.
  public var offset: Int
  /// How many bytes.
  public var count: Int
  /// Whether the answer may be `DownloadElsewhere`.
  public var elsewhere: Bool
  /// What lets the asker in at another worker; 0 at the coordinator.
  public var ticket: UInt64

  /// Makes the message.
  public init(
    transfer: UInt64, artifact: ArtifactReference, offset: Int, count: Int, elsewhere: Bool = false, ticket: UInt64 = 0
  ) {
    self.transfer = transfer
    self.artifact = artifact
    self.offset = offset
    self.count = count
    (self.elsewhere, self.ticket) = (elsewhere, ticket)
  }
}

extension DownloadWant: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_download_want() }

  func fill(_ raw: inout Unmask__DownloadWant, _ arena: Arena) {
    raw.transfer = transfer
    raw.artifact = arena.make(artifact)
    raw.offset = UInt64(offset)
    raw.count = UInt32(count)
    raw.elsewhere = elsewhere ? 1 : 0
    raw.ticket = ticket
  }

  init(reading raw: Unmask__DownloadWant) throws {
    transfer = raw.transfer
    artifact = try part(raw.artifact, "DownloadWant.artifact")
    offset = try number(raw.offset, "DownloadWant.offset", in: 0...largeNumber)
    count = try number(raw.count, "DownloadWant.count", in: 1...Packet.frameLimit)
    elsewhere = try number(raw.elsewhere, "DownloadWant.elsewhere", in: 0...1) == 1
    ticket = raw.ticket
  }
}

/// One raw frame of the file: the answer to `DownloadWant`.
public struct DownloadChunk: Sendable, Equatable {
  /// The transfer.
  public var transfer: UInt64
  /// Where the frame begins.
  public var offset: Int
  /// The frame's CRC-32C.
  public var crc: UInt32
  /// The worker whose bytes the coordinator passes on; empty if they are the sender's own.
  public var source: String

  /// Makes the message.
  public init(transfer: UInt64, offset: Int, crc: UInt32, source: String = "") {
    self.transfer = transfer
    self.offset = offset
    self.crc = crc
    self.source = source
  }
}

extension DownloadChunk: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_download_chunk() }

  func fill(_ raw: inout Unmask__DownloadChunk, _ arena: Arena) {
    raw.transfer = transfer
    raw.offset = UInt64(offset)
    raw.crc = crc
    raw.source = arena.text(source)
  }

  init(reading raw: Unmask__DownloadChunk) throws {
    transfer = raw.transfer
    offset = try number(raw.offset, "DownloadChunk.offset", in: 0...largeNumber)
    crc = raw.crc
    source = try text(raw.source, "DownloadChunk.source")
  }
}

/// "You cannot have it": the other answer to `DownloadWant`.
public struct DownloadFailed: Sendable, Equatable {
  /// The transfer.
  public var transfer: UInt64
  /// Why, for people.
  public var reason: String

  /// Makes the message.
  public init(transfer: UInt64, reason: String) {
    self.transfer = transfer
    self.reason = reason
  }
}

extension DownloadFailed: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_download_failed() }

  func fill(_ raw: inout Unmask__DownloadFailed, _ arena: Arena) {
    raw.transfer = transfer
    raw.reason = arena.text(reason, limit: Limits.sentence)
  }

  init(reading raw: Unmask__DownloadFailed) throws {
    transfer = raw.transfer
    reason = try text(raw.reason, "DownloadFailed.reason", limit: Limits.sentence)
  }
}
