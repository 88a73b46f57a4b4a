/// How far a job is: shown in `unmask status`, and what a stuck job is named by. Never part of a result.
public struct JobProgress: Codable, Sendable, Hashable {
  /// What it does just now: "train", "validate".
  public var phase: String
  /// The epoch, from 0.
  public var epoch: Int
  /// Steps done in this phase.
  public var step: Int
  /// Steps of this phase; 0 if unknown.
  public var steps: Int
  /// A short text for people: "loss 0.31".
  public var message: String

  /// Describes progress.
  public init(phase: String, epoch: Int = 0, step: Int = 0, steps: Int = 0, message: String = "") {
    self.phase = phase
    self.epoch = epoch
    self.step = step
    self.steps = steps
    self.message = message
  }
}
