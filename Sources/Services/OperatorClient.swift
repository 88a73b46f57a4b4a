public import Transport
public import Wire

/// What people ask of a coordinator from elsewhere: how the run is, to cancel something, a job's log.
public struct OperatorClient: Sendable {
  private let coordinator: String
  private let security: SocketOptions.Security
  private let version: String
  private let timeout: Int

  /// For a coordinator's address; `timeout` in milliseconds is for each answer.
  public init(
    _ coordinator: String, security: SocketOptions.Security = .none, version: String = "", timeout: Int = 5_000
  ) {
    (self.coordinator, self.security, self.version, self.timeout) = (coordinator, security, version, timeout)
  }

  /// How the run is.
  ///
  /// - Throws: one sentence if nobody answers in time, refuses our key, or is of another version.
  public func status() throws -> StatusReply {
    try ask(.statusRequest(StatusRequest(version: version))) { packet in
      if case .statusReply(let reply) = packet.message { reply } else { nil }
    }
  }

  /// Cancels the run (an empty target) or a job, or sends a worker away; what happens now, as a sentence.
  ///
  /// - Throws: one sentence with the coordinator's reason for not doing it; as `status` otherwise.
  public func operate(_ operation: Operation, _ target: String) throws -> String {
    let request = Operate(version: version, operation: operation, target: target)
    let reply: OperateReply = try ask(.operate(request), isRepeatable: false) { packet in
      if case .operateReply(let reply) = packet.message { reply } else { nil }
    }
    guard reply.isAccepted else { throw ServiceError(reply.sentence) }
    return reply.sentence
  }

  /// A piece of a job's log from a byte on, how long the log is, and whether the job is over.
  ///
  /// - Throws: one sentence if there is no such job; as `status` otherwise.
  public func log(of job: String, from offset: Int) throws -> (bytes: [UInt8], size: Int, isOver: Bool) {
    let request = LogRequest(version: version, job: job, offset: offset)
    let (reply, bytes): (LogReply, [UInt8]) = try ask(.logRequest(request)) { packet in
      if case .logReply(let reply) = packet.message { (reply, packet.frames[0]) } else { nil }
    }
    guard reply.problem.isEmpty else { throw ServiceError(reply.problem) }
    return (bytes, reply.size, reply.isOver)
  }

  /// Asks until an answer fits. What must happen once is sent once, and waits for the connection.
  private func ask<Reply>(
    _ message: Message, isRepeatable: Bool = true, _ read: (Packet) -> Reply?
  ) throws -> Reply {
    var options = SocketOptions()
    options.security = security
    let endpoint = try Endpoint.caller(to: coordinator, options: options)
    defer { endpoint.close() }
    let sender = UInt64.random(in: 1...UInt64.max)
    let until = monotonicMilliseconds() + timeout
    var sequence: UInt64 = 0
    var nextAsk = 0
    while monotonicMilliseconds() < until {
      if monotonicMilliseconds() >= nextAsk, isRepeatable || sequence == 0 {
        nextAsk = monotonicMilliseconds() + 500
        sequence += 1
        let ask = Packet(message, sender: sender, session: 0, sequence: sequence)
        endpoint.send(ask.encoded(), isDroppable: isRepeatable)
      }
      switch endpoint.inbox.take(timeout: 100) {
      case .refused(let sentence, isFinal: true)?: throw ServiceError(sentence)
      case .message(_, let frames, _)?:
        do {
          let packet = try Packet.decoded(frames)
          if case .refuse(let refusal) = packet.message { throw ServiceError("\(coordinator): \(refusal.sentence)") }
          if let reply = read(packet) { return reply }
        } catch let foreign as ForeignVersion {
          throw ServiceError("\(coordinator): \(foreign)")
        }
      default: break
      }
    }
    throw ServiceError(
      "no coordinator answers at \(coordinator) within \(timeout / 1000) s; is it running, and is the address right?")
  }
}
