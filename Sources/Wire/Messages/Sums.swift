import CWire

// Messages that add up a group's sums.

/// A node of the tree over shards whose sum is in the raw frame of the same position.
public struct Node: Sendable, Equatable {
  /// First shard.
  public var low: Int
  /// One past the last shard.
  public var high: Int
  /// The frame's CRC-32C.
  public var crc: UInt32

  /// Makes the part.
  public init(low: Int, high: Int, crc: UInt32) {
    self.low = low
    self.high = high
    self.crc = crc
  }
}

extension Node: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_node() }

  func fill(_ raw: inout Unmask__Node, _ arena: Arena) {
    raw.low = UInt32(low)
    raw.high = UInt32(high)
    raw.crc = crc
  }

  init(reading raw: Unmask__Node) throws {
    low = try number(raw.low, "Node.low", in: 0...Limits.shards)
    high = try number(raw.high, "Node.high", in: 1...Limits.shards)
    crc = raw.crc
    guard low < high else { throw WireError("Node \(low)..<\(high) is empty") }
  }
}

/// Worker: its sums of one piece of a vector.
public struct ReduceSums: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// Which vector: it rises from one to the next; the view is in the bits from 32 on.
  public var step: Int
  /// What elements are: 0 float32 that are added up, 1 int16, 2 int32 of which the largest counts.
  public var kind: Int
  /// How many shards there are in all.
  public var shards: Int
  /// First element of the piece.
  public var offset: Int
  /// Elements of the whole vector; 0 from a member that has nothing to add and waits for the others' sum.
  public var total: Int
  /// The nodes; none if there is nothing to add.
  public var nodes: [Node]

  /// Makes the message.
  public init(
    job: String, token: UInt64, step: Int, kind: Int = 0, shards: Int, offset: Int, total: Int, nodes: [Node]
  ) {
    self.kind = kind
    self.job = job
    self.token = token
    self.step = step
    self.shards = shards
    self.offset = offset
    self.total = total
    self.nodes = nodes
  }
}

extension ReduceSums: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_reduce_sums() }

  func fill(_ raw: inout Unmask__ReduceSums, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.step = UInt64(step)
    raw.shards = UInt32(shards)
    raw.kind = UInt32(kind)
    raw.offset = UInt64(offset)
    raw.total = UInt64(total)
    (raw.n_nodes, raw.nodes) = arena.make(nodes)
  }

  init(reading raw: Unmask__ReduceSums) throws {
    job = try word(raw.job, "ReduceSums.job")
    token = raw.token
    step = try number(raw.step, "ReduceSums.step", in: 0...largeNumber)
    shards = try number(raw.shards, "ReduceSums.shards", in: 1...Limits.shards)
    kind = try number(raw.kind, "ReduceSums.kind", in: 0...2)
    offset = try number(raw.offset, "ReduceSums.offset", in: 0...largeNumber)
    total = try number(raw.total, "ReduceSums.total", in: 0...largeNumber)
    nodes = try parts(raw.n_nodes, raw.nodes, "ReduceSums.nodes", limit: Packet.framesLimit)
  }
}

/// Coordinator: the sum over all shards of one piece.
public struct ReduceResult: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// The step.
  public var step: Int
  /// First element of the piece.
  public var offset: Int
  /// Elements of the whole vector.
  public var total: Int
  /// The frame's CRC-32C.
  public var crc: UInt32

  /// Makes the message.
  public init(job: String, token: UInt64, step: Int, offset: Int, total: Int, crc: UInt32) {
    self.job = job
    self.token = token
    self.step = step
    self.offset = offset
    self.total = total
    self.crc = crc
  }
}

extension ReduceResult: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_reduce_result() }

  func fill(_ raw: inout Unmask__ReduceResult, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.step = UInt64(step)
    raw.offset = UInt64(offset)
    raw.total = UInt64(total)
    raw.crc = crc
  }

  init(reading raw: Unmask__ReduceResult) throws {
    job = try word(raw.job, "ReduceResult.job")
    token = raw.token
    step = try number(raw.step, "ReduceResult.step", in: 0...largeNumber)
    offset = try number(raw.offset, "ReduceResult.offset", in: 0...largeNumber)
    total = try number(raw.total, "ReduceResult.total", in: 1...largeNumber)
    crc = raw.crc
  }
}
