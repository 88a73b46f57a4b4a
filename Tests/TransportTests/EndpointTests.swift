import Foundation
import Testing

@testable import Transport

@Suite struct `endpoints` {
  func message(_ endpoint: Endpoint, within: Int = 10_000) -> (peer: [UInt8], frames: [[UInt8]])? {
    let until = monotonicMilliseconds() + within
    while monotonicMilliseconds() < until {
      if case .message(let peer, let frames, _)? = endpoint.inbox.take(timeout: 100) { return (peer, frames) }
    }
    return nil
  }

  /// Says something until it arrives: a caller without a connection drops what it may.
  func greet(_ caller: Endpoint, _ listener: Endpoint) -> [UInt8]? {
    for _ in 0..<100 {
      caller.send([[1]], isDroppable: true)
      if let (peer, frames) = message(listener, within: 100), frames == [[1]] { return peer }
    }
    return nil
  }

  @Test(arguments: ["tcp://127.0.0.1:*", "ipc"]) func `exchange messages of many frames`(kind: String) throws {
    let address = kind == "ipc" ? "ipc:///tmp/unmask-\(UInt32.random(in: 0...UInt32.max)).sock" : kind
    let listener = try Endpoint.listener(at: address)
    let caller = try Endpoint.caller(to: listener.address)
    defer {
      caller.close()
      listener.close()
      if kind == "ipc" { unlink(String(address.dropFirst(6))) }
    }
    let peer = try #require(greet(caller, listener))
    let frames = [[UInt8](repeating: 3, count: 1 << 20), [], [1, 2, 3]]
    // More than fits the library's queues: nothing is lost, order is kept.
    for index in 0..<300 { listener.send([[UInt8(index % 256)]] + frames, to: peer) }
    for index in 0..<300 {
      let received = try #require(message(caller))
      #expect(received.frames == [[UInt8(index % 256)]] + frames)
    }
  }

  @Test func `find a peer that is gone`() throws {
    let listener = try Endpoint.listener(at: "tcp://127.0.0.1:*")
    let caller = try Endpoint.caller(to: listener.address)
    let peer = try #require(greet(caller, listener))
    caller.close()
    var isFound = false
    for _ in 0..<200 where !isFound {
      listener.send([[5]], to: peer, isDroppable: true)
      if case .unreachable(peer)? = listener.inbox.take(timeout: 50) { isFound = true }
    }
    #expect(isFound)
    listener.close()
  }

  @Test func `drop a message larger than the limit and go on with a new connection`() throws {
    let listener = try Endpoint.listener(at: "tcp://127.0.0.1:*")
    let caller = try Endpoint.caller(to: listener.address)
    let peer = try #require(greet(caller, listener))
    caller.send([[UInt8](repeating: 0, count: 3 << 20)])
    let next = try #require(greet(caller, listener))
    #expect(next != peer)
    caller.close()
    listener.close()
  }

  @Test func `connect anew to a listener that comes back`() throws {
    let first = try Endpoint.listener(at: "tcp://127.0.0.1:*")
    let caller = try Endpoint.caller(to: first.address)
    _ = try #require(greet(caller, first))
    let address = first.address
    first.close()
    caller.send([[2]], isDroppable: true)
    caller.reconnect()
    var second: Endpoint?
    for _ in 0..<100 where second == nil {
      second = try? Endpoint.listener(at: address)
      if second == nil { usleep(50_000) }
    }
    let returned = try #require(second)
    _ = try #require(greet(caller, returned))
    caller.close()
    returned.close()
  }

  @Test(arguments: [
    ("nonsense", "nonsense is not an address"), ("tcp://10.254.254.254:7000", "is not an address of this machine"),
    ("ipc:///tmp/" + String(repeating: "x", count: 200), "is too long for a local socket"),
  ])
  func `explain an address that cannot be used`(address: String, sentence: String) {
    let error = #expect(throws: TransportError.self) { try Endpoint.listener(at: address) }
    #expect(error?.description.contains(sentence) == true, "\(error!)")
  }

  @Test func `advise against ports that the system hands out`() {
    #expect(Ports.advice(for: "tcp://0.0.0.0:5555") == nil)
    #expect(Ports.advice(for: "ipc:///tmp/x") == nil)
    #expect(Ports.advice(for: "tcp://0.0.0.0:45000")?.contains("choose one below") == true)
  }
}

@Suite struct `a mailbox` {
  @Test func `keeps the order, and gives up in time`() {
    let mailbox = Mailbox<Int>()
    #expect(mailbox.take(timeout: 0) == nil && mailbox.take(timeout: 10) == nil)
    for number in 0..<5_000 { mailbox.put(number) }
    for number in 0..<5_000 { #expect(mailbox.take(timeout: 0) == number) }
    Thread { mailbox.put(7) }.start()
    #expect(mailbox.take(timeout: 10_000) == 7)
  }
}
