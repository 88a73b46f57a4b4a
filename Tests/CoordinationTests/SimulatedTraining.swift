import ShardTree
import Wire

@testable import Coordination

/// Training as far as coordination can spoil it: each step takes in so many samples, split into shards and summed in the
/// tree, and what is learned depends on every sum and on their order. So a sample that was lost, taken twice, or taken
/// from a step that was done already gives another digest than a run without faults.
struct SimulatedTraining {
  static let shards = 4
  static let samples = 8

  let steps: Int
  private(set) var step: Int
  private(set) var digest: UInt64

  init(_ job: JobSpec) {
    steps = Int(job.arguments["steps"] ?? "") ?? 6
    step = 0
    digest = job.id.utf8.reduce(14_695_981_039_346_656_037) { Self.mix($0, UInt64($1)) }
  }

  /// Begins where the checkpoint says, if there is one.
  init(_ assign: Assign) {
    self.init(assign.job)
    if let checkpoint = assign.checkpoint {
      (step, digest) = (checkpoint.size, UInt64(checkpoint.sha256)!)
    }
  }

  var isOver: Bool { step >= steps }

  /// What the ledger keeps of it.
  var artifact: ArtifactReference { ArtifactReference(name: "c", sha256: "\(digest)", size: step) }

  func outputs(of job: JobSpec) -> [ArtifactReference] {
    job.outputs.map { ArtifactReference(name: $0, sha256: "\(digest)", size: step) }
  }

  /// What a job publishes when nothing goes wrong.
  static func golden(_ job: JobSpec) -> [ArtifactReference] {
    var state = SimulatedTraining(job)
    while !state.isOver { _ = state.apply(state.sum(state.contribution(0..<shards))) }
    return state.outputs(of: job)
  }

  // MARK: - A step

  /// The sums of a member's shards at this step: how often each sample was taken in, and what it is worth.
  func contribution(_ own: Range<Int>) -> [ShardTree.Sum] {
    let leaves = own.map { shard in
      var values = [Float](repeating: 0, count: 2 * Self.samples)
      for sample in 0..<Self.samples where sample % Self.shards == shard {
        values[sample] = 1
        values[Self.samples + sample % 3] += 1 / Float(3 + sample + step * Self.samples)
      }
      return ShardTree.Sum(low: shard, high: shard + 1, values: values)
    }
    return ShardTree.combine(leaves, shards: Self.shards)
  }

  func sum(_ sums: [ShardTree.Sum]) -> [Float] { ShardTree.root(of: sums, shards: Self.shards)! }

  /// A member's sums as a message.
  func message(_ assign: Assign, _ own: Range<Int>, number: Int) -> (ReduceSums, [[UInt8]]) {
    let sums = contribution(own)
    let frames = sums.map { sum in sum.values.withUnsafeBytes { [UInt8]($0) } }
    let nodes = zip(sums, frames).map { Node(low: $0.low, high: $0.high, crc: crc32c($1)) }
    return (
      ReduceSums(
        job: assign.job.id, token: assign.token, step: number, kind: Int(ElementKind.float32.rawValue),
        shards: Self.shards, offset: 0, total: sums.isEmpty ? 0 : 2 * Self.samples, nodes: nodes), frames
    )
  }

  /// Learns from a step's sum. Returns what is wrong with it.
  mutating func apply(_ values: [Float]) -> String? {
    for sample in 0..<Self.samples where values[sample] != 1 {
      return "sample \(sample) of step \(step) was taken \(values[sample]) times"
    }
    digest = values.reduce(Self.mix(digest, UInt64(step))) { Self.mix($0, UInt64($1.bitPattern)) }
    step += 1
    return nil
  }

  private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 { (a ^ b) &* 1_099_511_628_211 &+ (a >> 29) }
}
