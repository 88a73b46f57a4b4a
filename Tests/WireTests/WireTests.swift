import CWire
import Foundation
import Testing

@testable import Wire

@Suite struct `messages` {
  @Test func `of every kind survive the wire`() throws {
    let missing = Set(MessageKind.allCases).subtracting(Samples.messages.map(\.kind))
    #expect(missing.isEmpty, "Samples.swift needs a message of each kind")
    for message in Samples.messages {
      let packet = Samples.packet(message)
      #expect(try Packet.decoded(packet.encoded()) == packet)
    }
  }

  /// The bytes of this protocol version. They change only together with `Header.protocolVersion`: raise it, remove the
  /// old file, and write the new one with UNMASK_WRITE_GOLDEN=1.
  @Test func `have the bytes that other processes expect`() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/wire")
      .appending(path: "golden-\(Header.protocolVersion).txt")
    let lines = Samples.messages.map { message in
      let frames = Samples.packet(message).encoded().map {
        $0.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      }
      return "\(message.kind) \(frames.joined(separator: " "))"
    }
    if ProcessInfo.processInfo.environment["UNMASK_WRITE_GOLDEN"] != nil {
      try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
    }
    guard let golden = try? String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init) else {
      Issue.record("there is no \(file.lastPathComponent): write it with UNMASK_WRITE_GOLDEN=1")
      return
    }
    let changed = Set(Set(golden).symmetricDifference(lines).map { $0.prefix { $0 != " " } })
    #expect(changed.isEmpty, "raise Header.protocolVersion, then write its golden file with UNMASK_WRITE_GOLDEN=1")
  }

  @Test func `of another version are told, and only a refusal is read`() throws {
    func foreign(_ message: Message) -> [[UInt8]] {
      var frames = Samples.packet(message).encoded()
      frames[0][4] = 9
      let sum = crc32c(Array(frames[0][..<52]))
      for index in 0..<4 { frames[0][52 + index] = UInt8(truncatingIfNeeded: sum >> (8 * index)) }
      return frames
    }
    let error = #expect(throws: ForeignVersion.self) { try Packet.decoded(foreign(Samples.messages[0])) }
    #expect(error?.isHello == true && error?.version == 9)
    let refusal = Message.refuse(Refuse(code: .version, sentence: "no"))
    #expect(try Packet.decoded(foreign(refusal)).message == refusal)
  }

  @Test func `cut anywhere are refused`() throws {
    for message in Samples.messages {
      let frames = Samples.packet(message).encoded()
      for (index, frame) in frames.enumerated() {
        for count in 0..<frame.count {
          var cut = frames
          cut[index] = Array(frame[..<count])
          if index < 2 { #expect(throws: (any Error).self) { try Packet.decoded(cut) } }
        }
      }
      if frames.count > 2 { #expect(throws: WireError.self) { try Packet.decoded(Array(frames.dropLast())) } }
      #expect(throws: WireError.self) { try Packet.decoded(frames + [[1]]) }
    }
  }

  @Test func `with one bit changed are refused`() throws {
    var random = SystemRandomNumberGenerator()
    for message in Samples.messages {
      let frames = Samples.packet(message).encoded()
      for _ in 0..<100 {
        var damaged = frames
        let frame = frames[1].isEmpty ? 0 : Int.random(in: 0...1, using: &random)
        let byte = Int.random(in: 0..<frames[frame].count, using: &random)
        damaged[frame][byte] ^= UInt8(1 << Int.random(in: 0..<8, using: &random))
        #expect(throws: (any Error).self) { try Packet.decoded(damaged) }
      }
    }
  }

  /// Bodies with any content under a right checksum: what an attacker or a bug would send.
  @Test func `with random bodies never crash the decoder`() {
    var random = Generator(seed: 1)
    var decoded = 0
    for round in 0..<200_000 {
      let kind = MessageKind.allCases[round % MessageKind.allCases.count]
      var body: [UInt8]
      if round % 3 == 0 {
        body = (0..<Int(random.next() % 60)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      } else {
        body = Samples.messages[round % Samples.messages.count].body.encoded()
        for _ in 0..<(1 + random.next() % 4) where !body.isEmpty {
          body[Int(random.next() % UInt64(body.count))] = UInt8(truncatingIfNeeded: random.next())
        }
      }
      if (try? body.withUnsafeBufferPointer({ try Message(kind, $0) })) != nil { decoded += 1 }
    }
    #expect(decoded > 0)
  }

  @Test func `need bounded memory, whatever they say`() {
    // A repeated empty part costs one byte on the wire... and 56 in memory.
    let bomb = [UInt8](repeating: 0, count: 1 << 20).enumerated().map { $0.offset % 2 == 0 ? UInt8(0x3A) : 0 }
    #expect(throws: WireError.self) { try bomb.withUnsafeBufferPointer { try Hello.decoded($0) } }
  }

  @Test func `with values out of range are refused with the field's name`() throws {
    func refusal<Body: WireBody>(_ body: Body) -> String {
      do {
        _ = try body.encoded().withUnsafeBufferPointer { try Body.decoded($0) }
        return "accepted"
      } catch { return "\(error)" }
    }
    let job = Samples.job
    #expect(
      refusal(Assign(job: job, token: 1, rank: 2, members: 2, attempt: 1, inputs: [], checkpoint: nil)).contains("rank")
    )
    #expect(
      refusal(Assign(job: job, token: 1, rank: 0, members: 0, attempt: 1, inputs: [], checkpoint: nil)).contains(
        "members"))
    #expect(refusal(Node(low: 3, high: 3, crc: 0)).contains("Node"))
    #expect(refusal(JobFinished(job: "", token: 1, outputs: [])).contains("JobFinished.job"))
    #expect(refusal(DownloadWant(transfer: 1, artifact: Samples.artifact, offset: 0, count: 2 << 20)).contains("count"))
    let content = Samples.artifact.sha256
    for wrong in ["", "../../etc/passwd", content.uppercased(), String(content.dropLast()), content + "0"] {
      #expect(refusal(ContentsHeld(contents: [content, wrong])).contains("ContentsHeld.contents"))
      let failed = HolderFailed(content: wrong, holder: "w", trouble: .missing, sentence: "")
      #expect(refusal(failed).contains("HolderFailed.content"))
    }
    let many = Array(repeating: content, count: ContentsHeld.limit + 1)
    #expect(refusal(ContentsHeld(contents: many)).contains("more than 2048"))
    let holder = Holder(name: "w", address: "tcp://h:1", key: "", ticket: 1)
    let holders = Array(repeating: holder, count: DownloadElsewhere.limit + 1)
    #expect(refusal(DownloadElsewhere(transfer: 1, holders: holders)).contains("more than 3"))
    for (name, address) in [("", "a"), ("w", "")] {
      #expect(refusal(Holder(name: name, address: address, key: "", ticket: 1)).contains("is empty"))
    }
    for validity in [0, 86_400_001] {
      #expect(refusal(PeerAdmitted(ticket: 1, key: "", validity: validity)).contains("validity"))
    }
    // An enumeration's number that nobody knows, and an empty body, which would be all zeros.
    #expect(throws: WireError.self) { try [UInt8]([0x08, 99]).withUnsafeBufferPointer { try Refuse.decoded($0) } }
    #expect(throws: WireError.self) { try [UInt8]().withUnsafeBufferPointer { try Refuse.decoded($0) } }
    // Text that is not UTF-8.
    #expect(throws: WireError.self) { try [UInt8]([0x0A, 1, 0xFF]).withUnsafeBufferPointer { try Bye.decoded($0) } }
  }

  @Test func `cut a sentence that is too long at a character`() throws {
    let long = Bye(reason: String(repeating: "ä", count: 8_000))
    let back = try long.encoded().withUnsafeBufferPointer { try Bye.decoded($0) }
    #expect(back.reason == String(repeating: "ä", count: 4_096))
  }
}

@Suite struct `the protocol` {
  /// protobuf-c follows nested messages by recursion, without a limit.
  @Test func `has no recursive types`() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Protocols/wire.proto")
    var known: Set<String> = ["bytes", "uint32", "uint64", "fixed64", "sint32", "double"]
    var current = ""
    var messages = 0
    for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
      let words = line.split { " {};".contains($0) }.map(String.init)
      if words.first == "message" {
        if !current.isEmpty { known.insert(current) }
        current = words[1]
        messages += 1
      } else if words.contains("="), !line.hasPrefix("syntax"),
        let type = words.first == "repeated" ? words[1] : words.first
      {
        #expect(known.contains(type), "\(current) uses \(type) before it is complete")
      }
    }
    #expect(messages >= MessageKind.allCases.count, "the messages of wire.proto were not found")
  }

  @Test func `counts CRC-32C as everybody does`() {
    #expect(crc32c(Array("123456789".utf8)) == 0xE306_9283)
    #expect(crc32c([]) == 0)
    let long = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    var byBit: UInt32 = .max
    for byte in long {
      byBit ^= UInt32(byte)
      for _ in 0..<8 { byBit = (byBit >> 1) ^ (byBit & 1 == 1 ? 0x82F6_3B78 : 0) }
    }
    #expect(crc32c(long) == ~byBit)
  }

  @Test(arguments: ["Models/a.b", "folds.csv", "a/b-c_d"]) func `takes an artifact's name`(name: String) {
    #expect(ArtifactReference.isValid(name: name))
  }

  @Test(arguments: [
    "", "/etc/passwd", "../x", "a/../b", "a//b", ".state/x", "a/.b", "run.sqlite", "a\\b", "a\nb", "a/",
  ])
  func `refuses a name that leads out of the run directory`(name: String) {
    #expect(!ArtifactReference.isValid(name: name))
  }
}

/// A generator with a seed, so that a crash replays.
struct Generator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
