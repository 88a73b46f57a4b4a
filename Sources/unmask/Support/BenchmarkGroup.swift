import Collectives
import Foundation
import Transport
import Wire

/// The worker processes of a benchmark: this program again, with another command, talking over their standard input and
/// output. They make a group of their own, without a coordinator.
final class BenchmarkGroup {
  private let members: [BenchmarkProcess]

  /// Starts so many processes of a command and makes them a group.
  init(command: [String], workers: Int, route: Route, isEncrypted: Bool, work: some Encodable) throws {
    members = try (0..<workers).map { _ in try BenchmarkProcess(command) }
    let work = String(decoding: try JSONEncoder().encode(work), as: UTF8.self)
    for (rank, member) in members.enumerated() {
      try member.tell(
        BenchmarkStart(rank: rank, members: workers, route: route.name, isEncrypted: isEncrypted, work: work))
    }
    let places = try members.map { try $0.hear(BenchmarkPlace.self) }
    for member in members { try member.tell(places) }
  }

  /// What a member says next.
  func hear<Value: Decodable>(_ type: Value.Type, from rank: Int = 0) throws -> Value {
    try members[rank].hear(type)
  }

  /// Lets all processes end.
  func end() { members.forEach { $0.end() } }
}

/// What a worker of a benchmark is told first.
private struct BenchmarkStart: Codable {
  let rank: Int
  let members: Int
  let route: String
  let isEncrypted: Bool
  let work: String
}

/// Where a worker of a benchmark can be reached.
private struct BenchmarkPlace: Codable {
  var segment: SharedSegment.Address?
  var address = ""
  var key = ""
}

private struct BenchmarkProblem: Error, CustomStringConvertible { let description: String }

private final class BenchmarkProcess {
  private let process = Process()
  private let (input, output) = (Pipe(), Pipe())
  private var rest = Data()

  init(_ arguments: [String]) throws {
    process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = arguments
    (process.standardInput, process.standardOutput) = (input, output)
    try process.run()
  }

  func tell(_ value: some Encodable) throws {
    try input.fileHandleForWriting.write(contentsOf: JSONEncoder().encode(value) + Data("\n".utf8))
  }

  func hear<Value: Decodable>(_ type: Value.Type) throws -> Value {
    while true {
      if let end = rest.firstIndex(of: 10) {
        defer { rest = Data(rest[(end + 1)...]) }
        return try JSONDecoder().decode(type, from: Data(rest[..<end]))
      }
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw BenchmarkProblem(description: "a worker of the benchmark has ended early") }
      rest += more
    }
  }

  func end() {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }
}

/// The other end: a worker process of a benchmark.
struct BenchmarkMember<Work: Decodable> {
  let rank: Int
  let members: Int
  let work: Work
  let link: any Link
  private let segment: SharedSegment?

  /// Says where it can be reached, hears of the others, and opens the route to them.
  init() throws {
    let start = try Self.hear(BenchmarkStart.self)
    (rank, members) = (start.rank, start.members)
    work = try JSONDecoder().decode(Work.self, from: Data(start.work.utf8))
    var place = BenchmarkPlace()
    if start.route == Route.sharedMemory.name {
      segment = try SharedSegment()
      place.segment = segment!.address
      try Self.tell(place)
      let places = try Self.hear([BenchmarkPlace].self)
      link = try SharedMemoryLink(rank: rank, members: places.map { $0.segment! }, patience: 60_000)
    } else {
      segment = nil
      let listener = try PeerListener(interface: "127.0.0.1", isEncrypted: start.isEncrypted)
      (place.address, place.key) = (listener.address, listener.publicKey)
      try Self.tell(place)
      let places = try Self.hear([BenchmarkPlace].self)
      link = try DirectLink(
        listener, rank: rank, members: places.map { .init(address: $0.address, publicKey: $0.key) }, secret: 1,
        patience: 60_000)
    }
  }

  /// Waits until the benchmark is over: the others may still need this process.
  func waitForEnd() { while readLine() != nil {} }

  private static func hear<Value: Decodable>(_ type: Value.Type) throws -> Value {
    guard let line = readLine() else { throw BenchmarkProblem(description: "the benchmark has ended") }
    return try JSONDecoder().decode(type, from: Data(line.utf8))
  }

  /// Says a result.
  static func tell(_ value: some Encodable) throws {
    try FileHandle.standardOutput.write(contentsOf: JSONEncoder().encode(value) + Data("\n".utf8))
  }
}
