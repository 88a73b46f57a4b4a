import ArgumentParser
import Collectives
import Foundation
import ShardTree
import Transport

/// How fast a group's vectors are added up.
struct BenchmarkAllReduce: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "allreduce",
    abstract: "Measure how fast the workers of a group add up their gradients.",
    discussion: """
      Starts so many worker processes on this machine, each with one vector of float32. One iteration gives all of them
      the sum in the fixed order of the tree, as in training; its time is taken on the first. Prints a table, or one JSON
      line a size: p50 and p99 of the time, bytes of the vector a second (algbw), and that times 2·(n-1)/n (busbw).

      EXAMPLE
        unmask benchmark allreduce --workers 2 --bytes 1024,1048576 --route direct --json
      """)

  @Option(help: ArgumentHelp("Worker processes.", valueName: "n"))
  var workers = 2

  @Option(help: ArgumentHelp("Sizes of the vector in bytes, with commas between.", valueName: "list"))
  var bytes = "1024,16384,65536,262144,1048576,4194304,16777216,67108864"

  @Option(help: ArgumentHelp("shared-memory or direct.", valueName: "name"))
  var route = Route.sharedMemory.rawValue

  @Option(help: ArgumentHelp("Seconds to measure each size for.", valueName: "s"))
  var seconds = 0.5

  @Flag(help: "Encrypt what goes over connections, as between machines.")
  var encrypted = false

  @Flag(help: "One JSON line a size.")
  var json = false

  private var sizes: [Int] { bytes.split(separator: ",").compactMap { Int($0) } }

  func validate() throws {
    guard (1...64).contains(workers) else { throw ValidationError("--workers must be between 1 and 64.") }
    guard sizes.count == bytes.split(separator: ",").count, !sizes.isEmpty,
      sizes.allSatisfy({ (4...(1 << 30)).contains($0) && $0 % 4 == 0 })
    else { throw ValidationError("--bytes must be multiples of 4 up to 1073741824, with commas between.") }
    guard ["shared-memory", "direct"].contains(route) else {
      throw ValidationError("--route must be shared-memory or direct.")
    }
    guard seconds > 0 else { throw ValidationError("--seconds must be more than 0.") }
  }

  func run() throws {
    let start = AllReduceStart(
      members: workers, route: Route(rawValue: route)!, sizes: sizes, seconds: seconds, isEncrypted: encrypted)
    let members = try (0..<workers).map { _ in try AllReduceProcess() }
    defer { members.forEach { $0.end() } }
    for (rank, member) in members.enumerated() {
      var start = start
      start.rank = rank
      try member.tell(start)
    }
    let joins = try members.map { try $0.hear(AllReduceJoin.self) }
    for member in members { try member.tell(joins) }
    if !json { print("      bytes      p50 µs      p99 µs  algbw GB/s  busbw GB/s") }
    for _ in sizes {
      let result = try members[0].hear(AllReduceResult.self)
      if json {
        print(try result.line(of: self))
      } else {
        print(
          String(format: "%11d", result.bytes)
            + [result.p50, result.p99, result.rate, result.rate * result.factor(workers)]
            .map { String(format: "%12.2f", $0) }.joined())
      }
      fflush(nil)
    }
  }
}

/// What a worker of the benchmark is told first.
private struct AllReduceStart: Codable {
  var rank = 0
  let members: Int
  let route: Route
  let sizes: [Int]
  let seconds: Double
  let isEncrypted: Bool
}

/// Where a worker of the benchmark can be reached.
private struct AllReduceJoin: Codable {
  var segment: SharedSegment.Address?
  var address = ""
  var key = ""
}

/// What the first worker has measured for one size.
private struct AllReduceResult: Codable {
  let bytes: Int
  let iterations: Int
  /// Microseconds.
  let p50: Double
  let p99: Double
  /// 10⁹ bytes a second.
  let rate: Double

  func factor(_ workers: Int) -> Double { 2 * Double(workers - 1) / Double(workers) }

  func line(of command: BenchmarkAllReduce) throws -> String {
    let object: [String: Any] = [
      "benchmark": "allreduce", "by": "unmask", "route": command.route, "workers": command.workers, "bytes": bytes,
      "encrypted": command.encrypted && command.route == "direct", "iterations": iterations, "p50_us": p50,
      "p99_us": p99, "algbw_gb_s": rate, "busbw_gb_s": rate * factor(command.workers),
    ]
    return String(decoding: try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys]), as: UTF8.self)
  }
}

/// A worker process of the benchmark, which talks over its standard input and output.
private final class AllReduceProcess {
  private let process = Process()
  private let (input, output) = (Pipe(), Pipe())
  private var rest = Data()

  init() throws {
    process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = ["benchmark", "allreduce-worker"]
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
      guard !more.isEmpty else { throw AllReduceProblem(description: "a worker of the benchmark has ended early") }
      rest += more
    }
  }

  func end() {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }
}

private struct AllReduceProblem: Error, CustomStringConvertible { let description: String }

/// One worker of `benchmark allreduce`, started by it.
struct BenchmarkAllReduceWorker: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "allreduce-worker", abstract: "A worker of the benchmark allreduce.", shouldDisplay: false)

  func run() throws {
    let start = try hear(AllReduceStart.self)
    var join = AllReduceJoin()
    var (segment, listener): (SharedSegment?, PeerListener?)
    if start.route == .sharedMemory {
      segment = try SharedSegment()
      join.segment = segment!.address
    } else {
      listener = try PeerListener(interface: "127.0.0.1", isEncrypted: start.isEncrypted)
      (join.address, join.key) = (listener!.address, listener!.publicKey)
    }
    try tell(join)
    let joins = try hear([AllReduceJoin].self)
    let link: any Link =
      if start.route == .sharedMemory {
        try SharedMemoryLink(rank: start.rank, members: joins.map { $0.segment! }, patience: 30_000)
      } else {
        try DirectLink(
          listener!, rank: start.rank, members: joins.map { .init(address: $0.address, publicKey: $0.key) },
          secret: 1, patience: 30_000)
      }
    let shape = GroupShape(shards: start.members, members: start.members)
    for size in start.sizes {
      let result = try measure(link, shape, size, start)
      if start.rank == 0 { try tell(result) }
    }
    withExtendedLifetime(segment) {}
    _ = readLine()  // the others may still need this process
  }

  private func measure(_ link: any Link, _ shape: GroupShape, _ size: Int, _ start: AllReduceStart) throws
    -> AllReduceResult
  {
    let count = size / 4
    let values = UnsafeMutablePointer<Float>.allocate(capacity: count)
    defer { values.deallocate() }
    for index in 0..<count { values[index] = Float(start.rank) }
    func once() throws -> Double {
      let begin = ContinuousClock.now
      try link.reduce(.float32, shape, own: [UnsafeRawPointer(values)], into: values, count: count, owner: nil)
      let time = ContinuousClock.now - begin
      return Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    }
    let each = try (0..<5).map { _ in try once() }.reduce(0, +) / 5
    var iterations = Int32(max(20, min(5_000, start.seconds / each)))
    try withUnsafeMutableBytes(of: &iterations) { bytes in
      try link.reduce(
        .largest, shape, own: [UnsafeRawPointer(bytes.baseAddress!)], into: bytes.baseAddress!, count: 1, owner: nil)
    }
    var times: [Double] = []
    for _ in 0..<iterations {
      times.append(try once())
      for index in 0..<count { values[index] *= 0.5 }
    }
    times.sort()
    let middle = times[times.count / 2]
    return AllReduceResult(
      bytes: size, iterations: times.count, p50: middle * 1e6, p99: times[Int(Double(times.count - 1) * 0.99)] * 1e6,
      rate: Double(size) / middle / 1e9)
  }

  private func hear<Value: Decodable>(_ type: Value.Type) throws -> Value {
    guard let line = readLine() else { throw AllReduceProblem(description: "the benchmark has ended") }
    return try JSONDecoder().decode(type, from: Data(line.utf8))
  }

  private func tell(_ value: some Encodable) throws {
    try FileHandle.standardOutput.write(contentsOf: JSONEncoder().encode(value) + Data("\n".utf8))
  }
}
