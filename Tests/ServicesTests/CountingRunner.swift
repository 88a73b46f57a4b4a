import Files
import Foundation
import Glibc
import ShardTree
import Wire

@testable import Services

/// A stand-in for training: a deterministic chain of sums over shards, with checkpoints. Its output depends on nothing
/// but its arguments, whoever computes it, however often it is interrupted.
struct CountingRunner: JobRunner {
  var shared: URL?
  /// Called before each step: where tests make things go wrong.
  var beforeStep: @Sendable (JobSpec, Int) throws -> Void = { _, _ in }

  func run(_ job: JobSpec, _ context: any JobContext) throws {
    switch job.kind {
    case "count": try count(job, context)
    case "merge":
      var text = ""
      for name in job.inputs.sorted() {
        text += "\(name) \(String(decoding: try readFile(try context.input(name)), as: UTF8.self))\n"
      }
      try publish(text, job.outputs[0], context)
    case "fail": throw ServiceError("this job always fails")
    case "forget": break
    default: preconditionFailure("CountingRunner: \(job.kind)")
    }
  }

  private func count(_ job: JobSpec, _ context: any JobContext) throws {
    let steps = Int(job.arguments["steps"] ?? "10")!
    let size = Int(job.arguments["size"] ?? "5")!
    let pause = UInt32(job.arguments["pause"] ?? "0")!
    var values = [Float](repeating: Float(job.arguments["seed"] ?? "1")!, count: size)
    if let file = shared?.appendingPathComponent("shared.txt") {
      values[0] += Float(try readFile(file).count)
    }
    var start = 0
    let file = context.directory.appendingPathComponent("state")
    if let checkpoint = try context.checkpoint() {
      let bytes = try readFile(checkpoint)
      start = bytes.withUnsafeBytes { $0.loadUnaligned(as: Int.self) }
      values = bytes[8...].withUnsafeBytes { raw in
        (0..<size).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
      }
    }
    func save(_ step: Int) throws {
      var bytes = withUnsafeBytes(of: step) { [UInt8]($0) }
      values.withUnsafeBytes { bytes += $0 }
      try writeAtomically(bytes, to: file)
      try context.saveCheckpoint(file)
    }
    do {
      for step in start..<steps {
        try beforeStep(job, step)
        if pause > 0 { usleep(pause * 1_000) }
        values = try sum(values, step, context)
        try context.progress(JobProgress(phase: "count", epoch: step / 5, step: step, steps: steps))
        if step % 5 == 4 {
          try context.record(metrics: ["value": Double(values[0])], epoch: step / 5)
          try save(step + 1)
        }
      }
    } catch let cancelled as JobCancelled where cancelled.reason == .draining {
      throw cancelled
    }
    let text = values.map { String($0.bitPattern, radix: 16) }.joined(separator: " ")
    for name in job.outputs { try publish(name + " " + text, name, context) }
  }

  /// The next values: a sum over four shards in the fixed tree, whose order matters for the bits.
  private func sum(_ values: [Float], _ step: Int, _ context: any JobContext) throws -> [Float] {
    let shards = step % 7 == 6 ? 1 : 4  // now and then a batch that is too small for four
    func shard(_ index: Int) -> ShardTree.Sum {
      let part = values.enumerated().map { $1 * 0.1 + 1 / Float(3 + index * 7 + step + $0 % 11) }
      return ShardTree.Sum(low: index, high: index + 1, values: part)
    }
    guard let reducer = context.reducer else {
      return ShardTree.root(of: (0..<shards).map(shard), shards: shards)!
    }
    let mine = ShardTree.shards(ofMember: reducer.rank, members: reducer.members, shards: shards)
    return try reducer.reduce(step: step, sums: ShardTree.combine(mine.map(shard), shards: shards), shards: shards)
  }

  private func publish(_ text: String, _ name: String, _ context: any JobContext) throws {
    let file = context.directory.appendingPathComponent("output")
    try writeAtomically(text, to: file)
    try context.publish(file, as: name)
  }
}
