import Foundation
import Glibc
import Synchronization
import Testing
import Transport
import Wire

@testable import Services

/// A run with keys: the coordinator's folder, and what each worker shows.
final class KeyedCluster {
  let cluster = TestCluster()
  let keys = KeyFolder(FileManager.default.temporaryDirectory.appending(path: "unmask-keys-\(UUID().uuidString)"))

  deinit { try? FileManager.default.removeItem(at: keys.url) }

  func coordinator(_ jobs: [JobSpec]) throws -> CoordinatorService {
    if (try? keys.coordinator()) == nil { _ = try keys.make("first", role: .worker) }
    var options = TestCluster.options
    options.security = .keys(try Doorkeeper(keys))
    return try cluster.coordinator(jobs, options: options, listen: "tcp://127.0.0.1:*")
  }

  func options(_ key: KeyFile) -> ServiceOptions {
    var options = TestCluster.options
    options.security = .key(key)
    return options
  }

  func worker(
    _ key: KeyFile, to address: String, name: String? = nil,
    beforeStep: @escaping @Sendable (JobSpec, Int) throws -> Void = { _, _ in }
  ) throws -> WorkerService {
    try cluster.worker(name ?? key.name, options: options(key), to: address, beforeStep: beforeStep)
  }
}

@Suite(.serialized) struct `a run with keys` {
  private let keyed = KeyedCluster()

  /// Everything that passes through a relay in the middle, both ways.
  private func captured(secure: Bool) throws -> [UInt8] {
    let jobs = TestCluster.plan([TestCluster.count("patient-0042", outputs: ["Out/patient-0042/scan.txt"])])
    let coordinator =
      try secure ? keyed.coordinator(jobs) : keyed.cluster.coordinator(jobs, listen: "tcp://127.0.0.1:*")
    let relay = try Relay(to: UInt16(coordinator.address.split(separator: ":").last!)!)
    let run = background { try coordinator.serve() }
    let address = "tcp://127.0.0.1:\(relay.port)"
    let service =
      try secure
      ? keyed.worker(keyed.keys.make("m2", role: .worker), to: address) : keyed.cluster.worker("m2", to: address)
    let worker = background { try service.serve() }
    #expect(try run.value().isComplete)
    _ = try worker.value()
    return relay.stop()
  }

  @Test func `shows an eavesdropper neither names nor paths nor keys`() throws {
    let words = ["patient-0042", "scan.txt", "merged.txt", "UNMK"].map { Array($0.utf8) }
    let open = try captured(secure: false)
    for word in words.prefix(2) + words.suffix(1) { #expect(contains(open, word), "the relay sees nothing at all") }
    try? FileManager.default.removeItem(at: keyed.cluster.directory)
    let sealed = try captured(secure: true)
    #expect(sealed.count > 1_000)
    for word in words { #expect(!contains(sealed, word), "\(String(decoding: word, as: UTF8.self)) is readable") }
    for name in ["coordinator", "m2"] {
      let text = try String(contentsOf: keyed.keys.file(name), encoding: .utf8)
      let secret = try #require(text.split(separator: "\n").first { $0.hasPrefix("secret ") }).dropFirst(7)
      #expect(!contains(sealed, Array(secret.utf8)))
    }
  }

  @Test func `is left untouched by strangers and by nonsense`() throws {
    let jobs = TestCluster.plan([TestCluster.count("a", steps: 40, pause: 20)])
    let coordinator = try keyed.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let good = try keyed.worker(keyed.keys.make("m2", role: .worker), to: coordinator.address)
    let worker = background { try good.serve() }
    let port = UInt16(coordinator.address.split(separator: ":").last!)!
    for round in 0..<20 {
      let raw = connection(to: port)
      let bytes = (0..<2_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ round) }
      _ = bytes.withUnsafeBytes { write(raw, $0.baseAddress, $0.count) }
      close(raw)
    }
    let stranger = KeyFile(
      name: "m9", pair: .make(), coordinator: try keyed.keys.coordinator().pair.publicKey)
    let start = monotonicMilliseconds()
    let error = #expect(throws: ServiceError.self) { try keyed.worker(stranger, to: coordinator.address).serve() }
    #expect(error?.description.contains("unmask keys authorise '\(stranger.pair.publicKey)' m9") == true)
    #expect(monotonicMilliseconds() - start < 10_000)  // two seconds on a quiet machine
    #expect(throws: ServiceError.self) { try keyed.cluster.worker("m8", to: coordinator.address).serve() }
    #expect(try run.value().isComplete)
    #expect(try worker.value() == .runEnded(isComplete: true, sentence: "run test is complete"))
    #expect(try keyed.cluster.outputs() == TestCluster.undisturbed(jobs))
  }

  /// Somebody on the way records what a worker says, and says it again, to the same coordinator while the run goes on and
  /// to the one that is started after it.
  @Test func `is not moved by a recording of what a worker said`() throws {
    let jobs = TestCluster.plan([
      TestCluster.count("a", steps: 60, pause: 20), TestCluster.count("b", steps: 60, pause: 60),
    ])
    let key = try keyed.keys.make("m2", role: .worker)
    func serve(_ address: String) throws -> Background<WorkerService.Outcome> {
      let service = try keyed.worker(key, to: address)
      return background { try service.serve() }
    }
    func replay(_ recording: [UInt8], to coordinator: CoordinatorService) {
      let raw = connection(to: UInt16(coordinator.address.split(separator: ":").last!)!)
      // The greeting waits for the other side's.
      for part in [recording.prefix(64), recording.dropFirst(64)] {
        _ = Array(part).withUnsafeBytes { send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        usleep(100_000)
      }
      close(raw)
    }
    let coordinator = try keyed.coordinator(jobs)
    let relay = try Relay(to: UInt16(coordinator.address.split(separator: ":").last!)!)
    let run = background { try coordinator.serve() }
    _ = try serve("tcp://127.0.0.1:\(relay.port)")
    try eventually { coordinator.status().done >= 1 || relay.said.count > 20_000 }
    let recording = relay.said
    for _ in 0..<3 { replay(recording, to: coordinator) }
    let status = coordinator.status()
    #expect(status.workers.count == 1 && status.jobs.allSatisfy { $0.failures == 0 })
    coordinator.stop()
    _ = try run.value()
    // A coordinator of another incarnation is told that it was not meant.
    let again = try keyed.coordinator(jobs)
    let second = background { try again.serve() }
    for _ in 0..<3 { replay(relay.said, to: again) }
    let heir = try serve(again.address)
    #expect(try second.value().isComplete)
    _ = try heir.value()
    #expect(try keyed.cluster.outputs() == TestCluster.undisturbed(jobs))
    _ = relay.stop()
  }

  @Test func `binds names to keys, and roles to what they allow`() throws {
    let coordinator = try keyed.coordinator([TestCluster.count("a")])
    let run = background { try coordinator.serve() }
    let worker = try keyed.keys.make("m2", role: .worker)
    let person = try keyed.keys.make("anna", role: .operator)
    func refusal(_ key: KeyFile, _ name: String) throws -> String {
      let error = #expect(throws: ServiceError.self) {
        try keyed.worker(key, to: coordinator.address, name: name).serve()
      }
      return error?.description ?? ""
    }
    // The list was read before these two were on it: the coordinator notices by itself.
    try eventually { (try? OperatorClient(coordinator.address, security: .key(person)).status()) != nil }
    #expect(try refusal(worker, "m3").contains("does not allow a worker to be called m3"))
    #expect(try refusal(worker, "m22").contains("does not allow"))
    #expect(try refusal(person, "anna").contains("is an operator's"))
    let asWorker = OperatorClient(coordinator.address, security: .key(worker))
    #expect(try asWorker.status().total == 1)
    let denied = #expect(throws: ServiceError.self) { try asWorker.operate(.cancel, "") }
    #expect(denied?.description.contains("is a worker's") == true)
    #expect(throws: ServiceError.self) { try asWorker.log(of: "a", from: 0) }
    #expect(try OperatorClient(coordinator.address, security: .key(person)).operate(.cancel, "").contains("cancelled"))
    #expect(try run.value().wasStopped)
  }

  @Test func `sends a revoked worker away, and its job goes on elsewhere`() throws {
    let jobs = TestCluster.plan([TestCluster.count("a", steps: 60, pause: 20)])
    let coordinator = try keyed.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let steps = Atomic(0)
    let bad = try keyed.worker(keyed.keys.make("bad", role: .worker), to: coordinator.address) { _, _ in
      steps.add(1, ordering: .relaxed)
    }
    let leaving = background { try bad.serve() }
    try eventually { steps.load(ordering: .relaxed) > 10 }
    _ = try keyed.keys.revoke("bad")
    let error = #expect(throws: ServiceError.self) { try leaving.value() }
    #expect(error?.description.contains("revoked") == true || error?.description.contains("does not know") == true)
    let good = try keyed.worker(keyed.keys.make("good", role: .worker), to: coordinator.address)
    let heir = background { try good.serve() }
    #expect(try run.value().isComplete)
    _ = try heir.value()
    #expect(try keyed.cluster.outputs() == TestCluster.undisturbed(jobs))
  }
}

private func contains(_ bytes: [UInt8], _ word: [UInt8]) -> Bool { Data(bytes).range(of: Data(word)) != nil }

/// A plain TCP connection to a port of this machine.
private func connection(to port: UInt16) -> Int32 {
  guard let handle = connection(ifListening: port) else { preconditionFailure("no connection to port \(port)") }
  return handle
}

/// The same, or nil where nobody listens (any more).
private func connection(ifListening port: UInt16) -> Int32? {
  let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = inet_addr("127.0.0.1")
  let result = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(handle, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard result == 0 else {
    close(handle)
    return nil
  }
  return handle
}

/// Passes TCP connections on to a port, and keeps everything that passes: what an eavesdropper on the way would have.
private final class Relay: Sendable {
  let port: UInt16
  private let listener: Int32
  private let target: UInt16
  private let seen = Mutex<[UInt8]>([])
  private let toTarget = Mutex<[UInt8]>([])

  /// What the callers have said.
  var said: [UInt8] { toTarget.withLock { $0 } }

  init(to target: UInt16) throws {
    self.target = target
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(listener, pointer, size) | listen(listener, 16) | getsockname(listener, pointer, &size)
      }
    }
    precondition(result == 0, "Relay: no port")
    self.listener = listener
    port = UInt16(bigEndian: address.sin_port)
    startComputeThread(named: "relay") { self.accept() }
  }

  private func accept() {
    while true {
      let near = Glibc.accept(listener, nil, nil)
      guard near >= 0 else { return }
      // A caller that comes back when the target has gone is told so.
      guard let far = connection(ifListening: target) else {
        close(near)
        continue
      }
      for (from, to) in [(near, far), (far, near)] {
        startComputeThread(named: "relay") { self.pass(from, to, isToTarget: from == near) }
      }
    }
  }

  private func pass(_ from: Int32, _ to: Int32, isToTarget: Bool) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(from, &buffer, buffer.count)
      guard count > 0 else { break }
      seen.withLock { $0 += buffer[..<count] }
      if isToTarget { toTarget.withLock { $0 += buffer[..<count] } }
      var sent = 0
      while sent < count {
        let result = buffer.withUnsafeBytes {
          send(to, $0.baseAddress! + sent, count - sent, Int32(MSG_NOSIGNAL))
        }
        guard result > 0 else { break }
        sent += result
      }
    }
    shutdown(to, Int32(SHUT_RDWR))
  }

  /// What has passed.
  func stop() -> [UInt8] {
    shutdown(listener, Int32(SHUT_RDWR))
    return seen.withLock { $0 }
  }
}
