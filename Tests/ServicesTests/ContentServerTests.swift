import Files
import Foundation
import Logging
import Testing
import Transport
import Wire

@testable import Services

/// What a worker gives to others, and to whom.
@Suite(.serialized) struct `a worker's contents` {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-shelf-\(UUID().uuidString)")
  private let shelf = ContentShelf()
  private let bytes = Array("a clip of somebody".utf8)

  private func put(_ bytes: [UInt8], as name: String = "clip.mp4", isCached: Bool = false) throws -> (String, URL) {
    let file = folder.appending(path: name)
    try writeAtomically(bytes, to: file)
    let content = sha256(bytes)
    _ = shelf.put(content, at: file, isCached: isCached)
    return (content, file)
  }

  private func want(_ content: String, _ offset: Int = 0, _ count: Int = 4, ticket: UInt64 = 7) -> DownloadWant {
    DownloadWant(
      transfer: 1, artifact: ArtifactReference(name: "x", sha256: content, size: 1 << 40), offset: offset, count: count,
      ticket: ticket)
  }

  private func clean() { try? FileManager.default.removeItem(at: folder) }

  @Test func `are found by their hash alone`() throws {
    defer { clean() }
    let (content, _) = try put(bytes)
    #expect(try shelf.read(want(content, 2, 4)).get() == Array("clip".utf8))
    let passwd = sha256(try readFile(URL(filePath: "/etc/passwd")))
    for other in [passwd, "/etc/passwd", "../../etc/passwd", "", content.uppercased()] {
      #expect(throws: ServiceError.self) { try shelf.read(want(other)).get() }
    }
    for (offset, count) in [(bytes.count - 3, 4), (1 << 50, 1)] {
      #expect(throws: ServiceError.self) { try shelf.read(want(content, offset, count)).get() }
    }
    #expect(shelf.contents == [content])
    #expect(!shelf.put("not a hash", at: folder.appending(path: "clip.mp4"), isCached: false))
  }

  @Test(arguments: [true, false]) func `are forgotten when their file is another one`(isCached: Bool) throws {
    defer { clean() }
    let (content, file) = try put(bytes, isCached: isCached)
    // A cache touches what it has.
    utimensat(AT_FDCWD, file.path, nil, 0)
    #expect((try? shelf.read(want(content)).get()) != nil || !isCached)
    _ = shelf.put(content, at: file, isCached: isCached)
    unlink(file.path)
    try FileManager.default.createSymbolicLink(at: file, withDestinationURL: URL(filePath: "/etc/passwd"))
    #expect(throws: ServiceError.self) { try shelf.read(want(content)).get() }
    #expect(shelf.contents.isEmpty)
  }

  // MARK: - Over connections

  private func server(_ door: PeerDoor?) throws -> ContentServer {
    try ContentServer(
      interface: "127.0.0.1", door: door, incarnation: 5, shelf: shelf, logger: TestCluster.options.logger)
  }

  /// What somebody hears who wants a piece; nil if nothing for so long.
  private func answer(
    _ server: ContentServer, _ want: DownloadWant, shows door: PeerDoor? = nil, expects listener: PeerDoor? = nil,
    within milliseconds: Int = 2_000
  ) throws -> Message? {
    var options = SocketOptions()
    if let door, let listener { options.security = .key(door.key(for: listener.publicKey)) }
    let caller = try Caller(to: server.address, options: options)
    return answer(caller, want, within: milliseconds)
  }

  private func answer(_ caller: Caller, _ want: DownloadWant, within milliseconds: Int) -> Message? {
    caller.send(Packet(.downloadWant(want), sender: 9, session: 0, sequence: 1).encoded())
    guard case .message(let frames)? = caller.receive(timeout: milliseconds) else { return nil }
    return (try? Packet.decoded(frames))?.message
  }

  private func isGiven(_ message: Message?) -> Bool {
    if case .downloadChunk? = message { true } else { false }
  }

  private func refusal(_ message: Message?) -> String? {
    if case .downloadFailed(let failed)? = message { failed.reason } else { nil }
  }

  @Test func `are given only for a ticket, and to the key that it was made for`() throws {
    defer { clean() }
    let (content, _) = try put(bytes)
    let (own, asker, other) = (PeerDoor(), PeerDoor(), PeerDoor())
    let server = try server(own)
    defer { server.close() }
    // Nobody was named: not even a connection comes about, and no word is lost about why.
    #expect(try answer(server, want(content), shows: asker, expects: own, within: 600) == nil)
    server.admit(PeerAdmitted(ticket: 7, key: asker.publicKey, validity: 60_000))
    server.admit(PeerAdmitted(ticket: 8, key: other.publicKey, validity: 60_000))
    server.admit(PeerAdmitted(ticket: 9, key: "", validity: 60_000))
    #expect(isGiven(try answer(server, want(content), shows: asker, expects: own)))
    for (who, ticket) in [(asker, 8), (other, 7), (asker, 9), (asker, 0)] as [(PeerDoor, UInt64)] {
      let reason = refusal(try answer(server, want(content, ticket: ticket), shows: who, expects: own))
      #expect(reason?.contains("named") == true)
    }
    // Without encryption nobody is understood, and a listener that shows another key is not believed.
    #expect(try answer(server, want(content), within: 600) == nil)
    #expect(try answer(server, want(content), shows: asker, expects: other, within: 600) == nil)
  }

  /// The asker may be quicker than the coordinator's word about it.
  @Test func `are given to whoever came too early, as soon as he is named`() throws {
    defer { clean() }
    let (content, _) = try put(bytes)
    let (own, asker) = (PeerDoor(), PeerDoor())
    let server = try server(own)
    defer { server.close() }
    var options = SocketOptions()
    options.security = .key(asker.key(for: own.publicKey))
    options.handshake = ContentFetcher.handshake
    let caller = try Caller(to: server.address, options: options)
    #expect(answer(caller, want(content), within: 400) == nil)
    server.admit(PeerAdmitted(ticket: 7, key: asker.publicKey, validity: 60_000))
    guard case .message(let frames)? = caller.receive(timeout: 20_000) else {
      Issue.record("it is not let in")
      return
    }
    #expect(isGiven(try Packet.decoded(frames).message))
  }

  @Test func `are cut off from a key that was revoked, in the middle of a connection`() throws {
    defer { clean() }
    let (content, _) = try put(bytes)
    let (own, asker, other) = (PeerDoor(), PeerDoor(), PeerDoor())
    let server = try server(own)
    defer { server.close() }
    for (ticket, door) in [(7, asker), (8, other)] as [(UInt64, PeerDoor)] {
      server.admit(PeerAdmitted(ticket: ticket, key: door.publicKey, validity: 60_000))
    }
    var options = SocketOptions()
    options.security = .key(asker.key(for: own.publicKey))
    let caller = try Caller(to: server.address, options: options)
    #expect(isGiven(answer(caller, want(content), within: 2_000)))
    server.revoke(asker.publicKey)
    #expect(answer(caller, want(content), within: 1_000) == nil)
    #expect(isGiven(try answer(server, want(content, ticket: 8), shows: other, expects: own, within: 5_000)))
    // So is everybody where the coordinator has begun anew.
    server.reset()
    #expect(try answer(server, want(content, ticket: 8), shows: other, expects: own, within: 600) == nil)
  }

  @Test func `are given to a few at a time, and nonsense is not answered`() throws {
    defer { clean() }
    let (content, _) = try put(bytes)
    let server = try server(nil)
    defer { server.close() }
    for ticket in 1...8 as ClosedRange<UInt64> {
      server.admit(PeerAdmitted(ticket: ticket, key: "", validity: 60_000))
    }
    let given = try (1...8 as ClosedRange<UInt64>).map { try answer(server, want(content, ticket: $0)) }
    // On a machine that is busy the first may be forgotten before the last comes.
    #expect(given.prefix(ContentServer.askersLimit).allSatisfy(isGiven))
    #expect(given.count(where: isGiven) == ContentServer.askersLimit || given.contains { refusal($0) != nil })
    let caller = try Caller(to: server.address, options: SocketOptions())
    caller.send([[1, 2, 3]])
    caller.send([[], [], []])
    caller.send(Packet(.bye(Bye(reason: "")), sender: 9, session: 0, sequence: 1).encoded())
    #expect(caller.receive(timeout: 300) == nil)
    // A question is small: a frame that is not cuts its sender off, and nobody else.
    caller.send([[UInt8](repeating: 0, count: 1 << 20)])
    usleep(1_100_000)
    #expect(isGiven(try answer(server, want(content, ticket: 1))))
  }

  @Test func `are forgotten by whoever was to have them when a ticket is old`() throws {
    defer { clean() }
    let (content, _) = try put(bytes)
    let server = try server(nil)
    defer { server.close() }
    server.admit(PeerAdmitted(ticket: 7, key: "", validity: 1))
    usleep(20_000)
    #expect(refusal(try answer(server, want(content)))?.contains("named") == true)
    // And however many there are, they are bounded.
    for ticket in 1...1_000 as ClosedRange<UInt64> {
      server.admit(PeerAdmitted(ticket: 1_000 + ticket, key: "", validity: 60_000 + Int(ticket)))
    }
    #expect(refusal(try answer(server, want(content, ticket: 1_001)))?.contains("named") == true)
    #expect(isGiven(try answer(server, want(content, ticket: 2_000))))
  }
}
