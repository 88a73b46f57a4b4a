import Foundation
import Testing

@testable import Transport

/// A folder of keys that goes with its value.
final class TemporaryKeys {
  let folder: KeyFolder

  init() {
    folder = KeyFolder(FileManager.default.temporaryDirectory.appending(path: "unmask-keys-\(UUID().uuidString)"))
  }

  deinit { try? FileManager.default.removeItem(at: folder.url) }
}

@Suite struct `keys` {
  private let place = TemporaryKeys()
  private var folder: KeyFolder { place.folder }

  private func mode(_ url: URL) throws -> Int {
    try #require(FileManager.default.attributesOfItem(atPath: url.path)[.posixPermissions] as? Int)
  }

  @Test func `are made for their owner alone, and name the coordinator`() throws {
    let key = try folder.make("m2", role: .worker)
    #expect(try KeyFile(contentsOf: folder.file("m2")) == key)
    #expect(key.coordinator == (try folder.coordinator()).pair.publicKey)
    #expect(
      try mode(folder.file("m2")) == 0o600 && mode(folder.file("coordinator")) == 0o600 && mode(folder.url) == 0o700)
    #expect(try folder.entries() == [KeyFolder.Entry(role: .worker, name: "m2", publicKey: key.pair.publicKey)])
    #expect(throws: TransportError.self) { try folder.make("m2", role: .worker) }
    #expect(throws: TransportError.self) { try folder.make("../m3", role: .worker) }
    #expect(throws: TransportError.self) { try folder.make("coordinator", role: .worker) }
  }

  @Test(arguments: [0o644, 0o640, 0o604]) func `that others may read are refused, with what to do`(mode: Int) throws {
    _ = try folder.make("m2", role: .worker)
    let file = folder.file("m2")
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    let error = #expect(throws: TransportError.self) { try KeyFile(contentsOf: file) }
    #expect(error?.description.contains("chmod 600 \(file.path)") == true)
  }

  @Test func `of a list that others may change are refused`() throws {
    _ = try folder.make("m2", role: .worker)
    let list = folder.url.appending(path: "authorised")
    try FileManager.default.setAttributes([.posixPermissions: 0o622], ofItemAtPath: list.path)
    #expect(throws: TransportError.self) { try folder.entries() }
  }

  @Test func `are told from other texts`() throws {
    #expect(KeyPair.isKey(KeyPair.make().publicKey))
    #expect(!KeyPair.isKey("") && !KeyPair.isKey(String(repeating: "~", count: 40)))
    _ = try folder.make("m2", role: .worker)
    #expect(throws: TransportError.self) { try folder.authorise("short", name: "m3", role: .worker) }
    try Data("nonsense".utf8).write(to: folder.file("broken"))
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder.file("broken").path)
    #expect(throws: TransportError.self) { try KeyFile(contentsOf: folder.file("broken")) }
  }

  @Test func `are taken away again, and may then be made anew`() throws {
    let doorkeeper = try { () in
      _ = try folder.make("m2", role: .worker)
      return try Doorkeeper(folder)
    }()
    let key = try KeyFile(contentsOf: folder.file("m2"))
    #expect(doorkeeper.verdict(on: key.pair.publicKey, from: "10.0.0.1") == .admitted)
    #expect(try doorkeeper.refresh().isEmpty)
    _ = try folder.revoke("m2")
    #expect(try doorkeeper.refresh().map(\.name) == ["m2"])
    #expect(doorkeeper.verdict(on: key.pair.publicKey, from: "10.0.0.1") != .admitted)
    #expect(doorkeeper.takeStrangers() == [.init(publicKey: key.pair.publicKey, address: "10.0.0.1")])
    #expect(try folder.make("m2", role: .worker).pair != key.pair)
    #expect(throws: TransportError.self) { try folder.revoke("nobody") }
  }

  @Test(arguments: [
    ("ipc:///tmp/x", true), ("tcp://127.0.0.1:5555", true), ("tcp://127.8.9.1:*", true), ("tcp://localhost:1", true),
    ("tcp://[::1]:1", true), ("tcp://0.0.0.0:5555", false), ("tcp://*:5555", false), ("tcp://10.0.0.1:5555", false),
    ("tcp://127.evil.example.org:1", false), ("tcp://1270.0.0.1:1", false), ("tcp:", false), ("tcp://", false),
  ])
  func `are wanted wherever others can reach`(address: String, isLocal: Bool) {
    #expect(Address.isLocal(address) == isLocal)
  }
}

@Suite struct `a listener with keys` {
  private let keys = TemporaryKeys()
  private let listener: Endpoint
  private let worker: KeyFile

  init() throws {
    worker = try keys.folder.make("m2", role: .worker)
    var options = SocketOptions()
    options.security = .keys(try Doorkeeper(keys.folder))
    listener = try Endpoint.listener(at: "tcp://127.0.0.1:*", options: options)
  }

  private func caller(_ security: SocketOptions.Security) throws -> Endpoint {
    var options = SocketOptions()
    options.security = security
    return try Endpoint.caller(to: listener.address, options: options)
  }

  /// What a caller with this security is told, within two seconds; nil if its message arrives instead.
  private func refusal(_ security: SocketOptions.Security) throws -> String? {
    let caller = try caller(security)
    defer { caller.close() }
    let until = monotonicMilliseconds() + 2_000
    while monotonicMilliseconds() < until {
      caller.send([[1], [2]], isDroppable: true)
      if case .message? = listener.inbox.take(timeout: 10) { return nil }
      if case .refused(let sentence, _)? = caller.inbox.take(timeout: 10) { return sentence }
    }
    return ""
  }

  @Test func `hears who has one, and by which key`() throws {
    let caller = try caller(.key(worker))
    defer {
      caller.close()
      listener.close()
    }
    let until = monotonicMilliseconds() + 10_000
    var key: String?
    while key == nil, monotonicMilliseconds() < until {
      caller.send([[1], [2]], isDroppable: true)
      if case .message(_, [[1], [2]], let shown)? = listener.inbox.take(timeout: 50) { key = shown }
    }
    #expect(key == worker.pair.publicKey)
  }

  @Test func `refuses everybody else, and says so within two seconds`() throws {
    defer { listener.close() }
    let stranger = KeyFile(name: "m3", pair: .make(), coordinator: worker.coordinator)
    let answer = try #require(try refusal(.key(stranger)))
    #expect(answer.contains("unmask keys authorise '\(stranger.pair.publicKey)' m3"))
    #expect(try #require(try refusal(.none)).contains("--key"))
    let other = KeyFile(name: "m2", pair: worker.pair, coordinator: KeyPair.make().publicKey)
    #expect(try #require(try refusal(.key(other))).contains("hangs up"))
    #expect(try refusal(.key(worker)) == nil)
  }

  @Test func `lets nobody in whose key was taken away, not even back in`() throws {
    defer { listener.close() }
    #expect(try refusal(.key(worker)) == nil)
    let before = try caller(.key(worker))
    defer { before.close() }
    _ = try keys.folder.revoke("m2")
    // The doorkeeper that the listener asks is told by its service; here there is none.
    let fresh = try Doorkeeper(keys.folder)
    var options = SocketOptions()
    options.security = .keys(fresh)
    let second = try Endpoint.listener(at: "tcp://127.0.0.1:*", options: options)
    defer { second.close() }
    var mine = SocketOptions()
    mine.security = .key(worker)
    let caller = try Endpoint.caller(to: second.address, options: mine)
    defer { caller.close() }
    guard case .refused(let sentence, true)? = caller.inbox.take(timeout: 2_000) else {
      Issue.record("it was not refused")
      return
    }
    #expect(sentence.contains("does not know this key"))
  }

  @Test func `outlives raw connections that talk nonsense`() throws {
    defer { listener.close() }
    let port = try #require(UInt16(listener.address.split(separator: ":").last!))
    for bytes in [Array("GET / HTTP/1.0\r\n\r\n".utf8), [UInt8](repeating: 0xFF, count: 4_096), [0xFF, 0, 0, 0]] {
      let raw = rawConnection(port)
      _ = bytes.withUnsafeBytes { write(raw, $0.baseAddress, $0.count) }
      close(raw)
    }
    #expect(try refusal(.key(worker)) == nil)
  }

  @Test func `cuts all connections and hears those again that may come`() throws {
    let caller = try caller(.key(worker))
    defer {
      caller.close()
      listener.close()
    }
    func peer() -> [UInt8]? {
      let until = monotonicMilliseconds() + 10_000
      while monotonicMilliseconds() < until {
        caller.send([[1]], isDroppable: true)
        if case .message(let peer, _, _)? = listener.inbox.take(timeout: 20) { return peer }
      }
      return nil
    }
    let first = try #require(peer())
    listener.disconnectAll()
    usleep(300_000)
    while listener.inbox.take(timeout: 0) != nil {}
    #expect(try #require(peer()) != first)
  }
}

/// A plain TCP connection to a port of this machine.
func rawConnection(_ port: UInt16) -> Int32 {
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
  precondition(result == 0, "no connection to port \(port)")
  return handle
}
