import Testing

@testable import Transport

@Suite struct `listeners of a group` {
  private func member(of listener: PeerListener) -> PeerSocket.Member {
    PeerSocket.Member(address: listener.address, publicKey: listener.publicKey)
  }

  @Test func `refuse whoever is no member, and a check would tell if one did not`() throws {
    let stranger = KeyPair.make()
    for isMember in [false, true] {
      let listener = try PeerListener(interface: "127.0.0.1", isEncrypted: true)
      let other = PeerSocket.Member(
        address: "tcp://127.0.0.1:1", publicKey: isMember ? stranger.publicKey : KeyPair.make().publicKey)
      let socket = try PeerSocket(listener, rank: 0, members: [member(of: listener), other], secret: 1)
      let knock = {
        try SelfTest.run(
          on: listener.socket, address: listener.address, publicKey: listener.publicKey, stranger: stranger)
      }
      if isMember {
        #expect(throws: TransportError.self) { try knock() }
      } else {
        #expect(throws: Never.self) { try knock() }
      }
      withExtendedLifetime(socket) {}
    }
  }

  @Test(arguments: [true, false]) func `hear only who knows the group's number`(knows: Bool) throws {
    let listeners = try (0..<2).map { _ in try PeerListener(interface: "127.0.0.1", isEncrypted: true) }
    let members = listeners.map { member(of: $0) }
    let sockets = try (0..<2).map {
      try PeerSocket(listeners[$0], rank: $0, members: members, secret: $0 == 1 && !knows ? 8 : 7)
    }
    var isGreeted = false
    let until = monotonicMilliseconds() + (knows ? 10_000 : 700)
    while !isGreeted, monotonicMilliseconds() < until {
      for socket in sockets {
        while socket.receive() != nil {}
        socket.wait(5)
      }
      isGreeted = sockets.map { $0.greet() }.allSatisfy { $0 }
    }
    #expect(isGreeted == knows)
  }
}
