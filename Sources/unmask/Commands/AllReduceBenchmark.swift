import ArgumentParser
import Collectives
import Foundation
import ShardTree
import Wire

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
  var route = Route.sharedMemory.name

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
    let group = try BenchmarkGroup(
      command: ["benchmark", "allreduce-worker"], workers: workers, route: Route(name: route)!, isEncrypted: encrypted,
      work: AllReduceWork(sizes: sizes, seconds: seconds))
    defer { group.end() }
    if !json { print("      bytes      p50 µs      p99 µs  algbw GB/s  busbw GB/s") }
    for _ in sizes {
      let result = try group.hear(AllReduceResult.self)
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

/// What the workers of the benchmark do.
private struct AllReduceWork: Codable {
  let sizes: [Int]
  let seconds: Double
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

/// One worker of `benchmark allreduce`, started by it.
struct BenchmarkAllReduceWorker: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "allreduce-worker", abstract: "A worker of the benchmark allreduce.", shouldDisplay: false)

  func run() throws {
    let member = try BenchmarkMember<AllReduceWork>()
    for size in member.work.sizes {
      let result = try measure(member, size)
      if member.rank == 0 { try BenchmarkMember<AllReduceWork>.tell(result) }
    }
    member.waitForEnd()
  }

  private func measure(_ member: BenchmarkMember<AllReduceWork>, _ size: Int) throws -> AllReduceResult {
    let count = size / 4
    let shape = GroupShape(shards: member.members, members: member.members)
    let values = UnsafeMutablePointer<Float>.allocate(capacity: count)
    defer { values.deallocate() }
    for index in 0..<count { values[index] = Float(member.rank) }
    func once() throws -> Double {
      let begin = ContinuousClock.now
      try member.link.reduce(
        .float32, shape, own: [UnsafeRawPointer(values)], into: values, count: count, owner: nil)
      let time = ContinuousClock.now - begin
      return Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    }
    let each = try (0..<5).map { _ in try once() }.reduce(0, +) / 5
    var iterations = Int32(max(20, min(5_000, member.work.seconds / each)))
    try withUnsafeMutableBytes(of: &iterations) { bytes in
      try member.link.reduce(
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
}
