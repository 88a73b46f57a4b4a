import Collectives
import Coordination
import Foundation
import Glibc
import ShardTree
import Transport
import Wire

/// A job's part in its group, on a worker: joins the views that the coordinator forms, opens the route to the other
/// members, and asks before each step whether all have its sums.
///
/// - Thread: the job's threads call what `ShardReducer` says; the service's thread calls `receive` and `tick`.
final class GroupReducer: ShardReducer, @unchecked Sendable {
  private unowned let context: WorkerJobContext  // which owns this
  private let requests: WorkerRequests
  private let isEncrypted: Bool
  private let interface: String
  private let patience: Int

  // Protected by `condition`.
  private var machine: GroupMembership
  private var link: (any Link)?
  /// The view that `gather` has told of.
  private var told: Int?
  private let condition = NSCondition()

  // Touched by the job's threads alone.
  private var shards = 1
  private var segment: SharedSegment?
  private var listener: PeerListener?

  /// - Parameters:
  ///   - interface: the address of this machine that other workers reach.
  ///   - patience: milliseconds without a sign of another member, which may be validating, before the coordinator is told.
  init(
    _ context: WorkerJobContext, requests: WorkerRequests, isEncrypted: Bool, interface: String, patience: Int
  ) {
    (self.context, self.requests, self.isEncrypted) = (context, requests, isEncrypted)
    (self.interface, self.patience) = (interface, patience)
    machine = GroupMembership(job: context.assign.job.id, token: context.assign.token, patience: 1_000)
  }

  // MARK: - On the service's thread

  /// Takes what the coordinator says about the group.
  func receive(_ message: Message) {
    condition.lock()
    defer { condition.unlock() }
    if machine.receive(message) { link?.stop() }
    condition.broadcast()
  }

  /// The open question, if it is to be asked again.
  func tick(now: Int, isNew: Bool) -> Message? {
    condition.withLock { machine.tick(now: now, isNew: isNew) }
  }

  /// The job must stop: whoever waits here looks why. A worker that leaves ends its step first.
  func wake(isDraining: Bool) {
    condition.lock()
    if !isDraining { link?.stop() }
    condition.broadcast()
    condition.unlock()
  }

  // MARK: - On the job's threads

  var hasChanged: Bool { condition.withLock { machine.current == nil || machine.current?.view != told } }

  func gather(shards: Int, steps: Int) throws -> Membership {
    self.shards = shards
    let view = try form(steps: steps, isPending: false)
    condition.withLock { told = view.view }
    return Membership(
      rank: view.rank, shape: GroupShape(shards: shards, members: view.members.map { $0.low..<$0.high }),
      steps: view.steps, donor: view.donor)
  }

  func reduce(
    _ kind: ElementKind, _ shape: GroupShape, own: [UnsafeRawPointer], into out: UnsafeMutableRawPointer, count: Int,
    owner: (any Sendable & AnyObject)?
  ) throws {
    let (link, view) = condition.withLock { (self.link, machine.current) }
    guard let link, view?.view == condition.withLock({ told }) else { throw GroupChanged() }
    do {
      try link.reduce(kind, shape, own: own, into: out, count: count, owner: owner)
    } catch let problem as LinkProblem {
      try context.check(evenDraining: false)
      if problem != .stopped {
        let sentence = "\(view?.route.name ?? "") does not go on: \(problem)"
        context.log(sentence)
        report(isUnusable: problem.isUnreachable, sentence)
      }
      throw GroupChanged()
    }
  }

  func commit(step: Int, digest: UInt64, seconds: Double) throws {
    let question = condition.withLock { () -> (Message?, isAlone: Bool) in
      if let view = machine.current, view.members.count == 1 { return (nil, true) }
      return (
        machine.vote(
          step: step, digest: digest, microseconds: Int(min(max(0, seconds), 1e6) * 1e6), now: monotonicMilliseconds()),
        false
      )
    }
    if question.isAlone { return }
    guard let vote = question.0 else { throw GroupChanged() }
    send(vote)
    if try wait({ $0.takeVerdict() }) == .made { return }
    // The others may have made the step before they heard of the change: the next view tells.
    let view = try form(steps: step, isPending: true)
    guard view.steps == step + 1 else { throw GroupChanged() }
  }

  // MARK: - Views

  /// The group that has formed, with the route to its members open.
  private func form(steps: Int, isPending: Bool) throws -> GroupView {
    while true {
      if let view = condition.withLock({ link != nil || machine.current?.members.count == 1 ? machine.current : nil }) {
        return view
      }
      if let view = condition.withLock({ machine.current }) {
        try open(view)
      } else {
        try join(steps: steps, isPending: isPending)
      }
    }
  }

  private func join(steps: Int, isPending: Bool) throws {
    condition.withLock { link = nil }
    (segment, listener) = (nil, nil)
    let place = announce()
    let question = condition.withLock { () -> Message? in
      guard machine.current == nil else { return nil }
      return machine.join(
        shards: shards, steps: steps, isPending: isPending, place: place, now: monotonicMilliseconds())
    }
    guard let question else { return }
    send(question)
    // A newer view may have been called meanwhile, and wants another answer.
    _ = try wait { $0.current != nil || $0.mustJoin ? true : nil }
  }

  /// Makes what others need to reach this member. What cannot be made is not announced, and the group takes another route.
  private func announce() -> GroupPlace {
    var place = GroupPlace(
      machine: "", process: Int(getpid()), handle: 0, nonce: UInt64.random(in: 1...UInt64.max), address: "", key: "")
    do {
      segment = try SharedSegment()
      (place.handle, place.nonce, place.machine) = (segment!.address.handle, segment!.address.nonce, Self.machine)
    } catch { context.log("\(error)") }
    do {
      listener = try PeerListener(interface: interface, isEncrypted: isEncrypted)
      (place.address, place.key) = (listener!.address, listener!.publicKey)
    } catch { context.log("no other worker can connect to this one: \(error)") }
    return place
  }

  /// This machine, as far as memory can be shared: its kernel's start, the space of process numbers, and the user.
  private static let machine: String = {
    let boot = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? ""
    let space = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")) ?? ""
    guard !boot.isEmpty, !space.isEmpty else { return "" }
    return "\(boot.trimmingCharacters(in: .whitespacesAndNewlines)) \(space) \(geteuid())"
  }()

  private func open(_ view: GroupView) throws {
    let places = view.members.map(\.place)
    do {
      let opened: any Link
      switch view.route {
      case .sharedMemory:
        opened = try SharedMemoryLink(
          rank: view.rank,
          members: places.map { .init(process: $0.process, handle: $0.handle, nonce: $0.nonce) }, patience: patience)
      case .direct:
        guard let listener else { throw ServiceError("this member has no socket for the others") }
        opened = try DirectLink(
          listener, rank: view.rank, members: places.map { .init(address: $0.address, publicKey: $0.key) },
          secret: view.secret, patience: patience)
      case .coordinator:
        opened = CoordinatorLink(context, requests: requests, view: view.view, rank: view.rank, patience: patience)
      }
      // The listener belongs to the link from now on, and the segments are mapped.
      let isCurrent = condition.withLock { () -> Bool in
        guard machine.current?.view == view.view else { return false }
        link = opened
        return true
      }
      if isCurrent {
        context.log(
          "shared with \(view.members.count - 1) others after step \(view.steps): \(view.route.name), bound: "
            + view.route.bound(members: view.members.count))
      }
    } catch {
      let sentence = "\(view.route.name) cannot be used: \(error)"
      context.log(sentence)
      report(isUnusable: true, sentence)
      _ = try wait { $0.mustJoin ? true : nil }
    }
  }

  private func report(isUnusable: Bool, _ sentence: String) {
    let message = condition.withLock { machine.trouble(isUnusable: isUnusable, sentence, now: monotonicMilliseconds()) }
    if let message { send(message) }
    // Nothing more comes of this view, whoever noticed it first.
    if message != nil {
      while (try? context.check(evenDraining: false)) != nil, condition.withLock({ machine.current != nil }) {
        condition.lock()
        _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1))
        condition.unlock()
      }
    }
  }

  private func send(_ message: Message) { requests.put(.group(token: context.assign.token, message)) }

  /// Waits until the machine has an answer.
  private func wait<Value>(_ answer: (inout GroupMembership) -> Value?) throws -> Value {
    while true {
      condition.lock()
      if let value = answer(&machine) {
        condition.unlock()
        return value
      }
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.5))
      condition.unlock()
      try context.check(evenDraining: false)
    }
  }
}

/// The route through the coordinator.
final class CoordinatorLink: Link {
  let route = Route.coordinator
  private let context: WorkerJobContext
  private let requests: WorkerRequests
  private let rank: Int
  private let patience: Int
  private var number: Int
  private let answers = NSLock()
  // Protected by `answers`.
  private var isStopped = false

  /// - Parameter patience: milliseconds without a piece of a sum before the others count as lost.
  init(_ context: WorkerJobContext, requests: WorkerRequests, view: Int, rank: Int, patience: Int) {
    (self.context, self.requests, self.rank, self.patience) = (context, requests, rank, patience)
    // Numbers of an earlier view are below all of this one, so that what is late is told.
    number = view << 32
  }

  func stop() { answers.withLock { isStopped = true } }

  func reduce(
    _ kind: ElementKind, _ shape: GroupShape, own: [UnsafeRawPointer], into out: UnsafeMutableRawPointer, count: Int,
    owner: (any Sendable & AnyObject)?
  ) throws {
    number += 1
    let nodes = zip(shape.nodes[rank], own).map { node, vector in
      ReduceExchange.Contribution(
        node: node, bytes: [UInt8](UnsafeRawBufferPointer(start: vector, count: count * kind.size)))
    }
    let (answer, pulse) = (Answer<[UInt8]>(), Pulse())
    requests.put(
      .reduce(
        job: context.assign.job.id, token: context.assign.token, step: number, kind: kind, own: nodes,
        shards: shape.shards, answer, pulse))
    var isAnswered = false
    // A sum that nobody waits for is not said again on a new connection.
    defer { if !isAnswered { requests.put(.endReduce(token: context.assign.token, step: number)) } }
    while true {
      if let result = answer.take(timeout: 100) {
        isAnswered = true
        let bytes = try result.get()
        guard bytes.count == count * kind.size else { throw LinkProblem.stopped }
        bytes.withUnsafeBytes { out.copyMemory(from: $0.baseAddress!, byteCount: bytes.count) }
        return
      }
      if answers.withLock({ isStopped }) { throw LinkProblem.stopped }
      if pulse.silence > patience { throw LinkProblem.incomplete }
      try context.check(evenDraining: false)
    }
  }
}
