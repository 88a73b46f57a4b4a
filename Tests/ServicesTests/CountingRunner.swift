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
    let reducer = context.reducer
    var group = try reducer?.gather(shards: 4, steps: start)
    var step = start
    func passState(_ membership: Membership) throws {
      guard let donor = membership.donor, let reducer else { return }
      var all = [Float(step)] + values
      all = try reduce(
        reducer, GroupShape(from: donor, members: membership.count), membership.rank == donor ? [all] : [], all)
      (step, values) = (Int(all[0]), Array(all[1...]))
    }
    if let group { do { try passState(group) } catch is GroupChanged {} }
    while step < steps {
      try beforeStep(job, step)
      if pause > 0 { usleep(pause * 1_000) }
      do {
        if let reducer, reducer.hasChanged { throw GroupChanged() }
        values = try sum(values, step, reducer, group)
      } catch is GroupChanged {
        group = try reducer!.gather(shards: 4, steps: step)
        do { try passState(group!) } catch is GroupChanged {}
        continue
      }
      step += 1
      try context.progress(JobProgress(phase: "count", epoch: (step - 1) / 5, step: step - 1, steps: steps))
      if step % 5 == 0 {
        try context.record(metrics: ["value": Double(values[0])], epoch: (step - 1) / 5)
        try save(step)
      }
    }
    let text = values.map { String($0.bitPattern, radix: 16) }.joined(separator: " ")
    for name in job.outputs { try publish(name + " " + text, name, context) }
  }

  /// The next values: a sum over four shards in the fixed tree, whose order matters for the bits.
  private func sum(
    _ values: [Float], _ step: Int, _ reducer: (any ShardReducer)?, _ group: Membership?
  ) throws -> [Float] {
    func shard(_ index: Int) -> ShardTree.Sum {
      let part = values.enumerated().map { $1 * 0.1 + 1 / Float(3 + index * 7 + step + $0 % 11) }
      return ShardTree.Sum(low: index, high: index + 1, values: part)
    }
    guard let reducer, let group else { return ShardTree.root(of: (0..<4).map(shard), shards: 4)! }
    let own = ShardTree.combine(group.ownShards.map(shard), shards: 4).map(\.values)
    let sums = group.count > 1 ? try reduce(reducer, group.shape, own, values) : own[0]
    try reducer.commit(step: step, digest: sums.withUnsafeBytes { digest(of: $0) }, seconds: 0)
    return sums
  }

  /// Vectors that all members bring, combined.
  private func reduce(
    _ reducer: any ShardReducer, _ shape: GroupShape, _ own: [[Float]], _ like: [Float]
  ) throws -> [Float] {
    let room = Room(own, count: like.count)
    try reducer.reduce(
      .float32, shape, own: room.own.map { UnsafeRawPointer($0) }, into: room.out, count: like.count, owner: room)
    return (0..<like.count).map { room.out[$0] }
  }

  /// Memory that does not move.
  private final class Room: @unchecked Sendable {
    let own: [UnsafeMutablePointer<Float>]
    let out: UnsafeMutablePointer<Float>

    init(_ vectors: [[Float]], count: Int) {
      own = vectors.map { vector in
        let pointer = UnsafeMutablePointer<Float>.allocate(capacity: max(1, vector.count))
        pointer.initialize(from: vector, count: vector.count)
        return pointer
      }
      out = .allocate(capacity: max(1, count))
    }

    deinit {
      own.forEach { $0.deallocate() }
      out.deallocate()
    }
  }

  private func publish(_ text: String, _ name: String, _ context: any JobContext) throws {
    let file = context.directory.appendingPathComponent("output")
    try writeAtomically(text, to: file)
    try context.publish(file, as: name)
  }
}
