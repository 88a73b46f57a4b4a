/// One job of a run: what to do, what it needs, what it leaves behind. The cluster knows nothing else about it.
public struct JobSpec: Codable, Sendable, Hashable {
  /// Which process does the job.
  public enum Place: String, Codable, Sendable, Hashable {
    /// Any worker.
    case worker
    /// The coordinator itself, for short jobs that read many artifacts.
    case coordinator
  }

  /// The name, unique in the run: "train/frames/0".
  public var id: String
  /// What the runner tells jobs apart by: "train".
  public var kind: String
  /// What the runner needs to know; small texts.
  public var arguments: [String: String]
  /// Jobs that must be done before this one starts.
  public var dependencies: [String]
  /// Names of the artifacts it reads: shared ones, or outputs of its dependencies.
  public var inputs: [String]
  /// Names of the artifacts it must publish; they appear in the run directory all together, when it is done.
  public var outputs: [String]
  /// Which process does the job.
  public var runsOn: Place
  /// How many workers may share its batches; 1 for a job that never shares.
  public var groupSize: Int
  /// After how many failures of its own it is given up. Attempts that die with their worker do not count.
  public var maxAttempts: Int
  /// Of two jobs that could start, the one with the higher priority does; then the earlier one of the plan.
  public var priority: Int

  /// Describes a job.
  public init(
    id: String, kind: String, arguments: [String: String] = [:], dependencies: [String] = [], inputs: [String] = [],
    outputs: [String] = [], runsOn: Place = .worker, groupSize: Int = 1, maxAttempts: Int = 3, priority: Int = 0
  ) {
    self.id = id
    self.kind = kind
    self.arguments = arguments
    self.dependencies = dependencies
    self.inputs = inputs
    self.outputs = outputs
    self.runsOn = runsOn
    self.groupSize = groupSize
    self.maxAttempts = maxAttempts
    self.priority = priority
  }
}
