import Synchronization

/// A sentence about a training job that people should read: in the job's log at once, in the report at the end.
public struct TrainingNote: Codable, Sendable, Equatable {
  /// What it is about; notes of one kind from several folds are one remark in the report.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case balance, tuning, mixing, memory, precision, loading, convergence, overfitting
  }

  /// What it is about.
  public var kind: Kind
  /// The sentence, without a full stop.
  public var text: String
}

/// The notes of one job. A reference, so that all parts of a job add to the same ones.
final class TrainingNotes: Sendable {
  private let notes = Mutex<[TrainingNote]>([])

  var all: [TrainingNote] { notes.withLock { $0 } }

  /// Adds a note; false if it was there before.
  func add(_ note: TrainingNote) -> Bool {
    notes.withLock { notes in
      guard !notes.contains(note) else { return false }
      notes.append(note)
      return true
    }
  }

  func clear() { notes.withLock { $0 = [] } }
}

/// What usually goes wrong in training, read off its numbers, and what to do about it.
enum TrainingAdvice {
  /// Why it did not converge; nil if the loss fell, or there were too few epochs to tell.
  static func convergence(_ epochs: [EpochRecord]) -> String? {
    guard epochs.count >= 3, let first = epochs.first, let last = epochs.last else { return nil }
    let lowest = epochs.map(\.trainingLoss).min()!
    guard lowest > 0.97 * first.trainingLoss else { return nil }
    return
      "the training loss did not fall: \(round(first.trainingLoss)) in epoch \(first.epoch), \(round(last.trainingLoss)) "
      + "in epoch \(last.epoch); try train.learning_rate three times larger and smaller, more epochs, and look at the labels"
  }

  /// Since when it learns by heart; nil if validation follows training.
  static func overfitting(_ epochs: [EpochRecord], best: Int) -> String? {
    let judged = epochs.filter { $0.validationLoss != nil }
    guard judged.count >= 4, let last = judged.last,
      let turn = judged.min(by: { $0.validationLoss! < $1.validationLoss! }),
      last.epoch >= turn.epoch + 2, last.validationLoss! > 1.2 * turn.validationLoss!,
      last.trainingLoss < 0.8 * turn.trainingLoss
    else { return nil }
    return "over-fitting after epoch \(turn.epoch): the validation loss rose from \(round(turn.validationLoss!)) to "
      + "\(round(last.validationLoss!)) while the training loss fell from \(round(turn.trainingLoss)) to "
      + "\(round(last.trainingLoss)); epoch \(best) was kept; more data, train.augment, train.dropout, train.weight_decay or "
      + "tune: last-2 may help"
  }

  /// Whether the compute threads wait for data; nil if they hardly do, or the time is too short to tell.
  static func loading(waited: Double, of seconds: Double) -> String? {
    guard seconds >= 5, waited > 0.3 * seconds else { return nil }
    return
      "loading is slow: \(Int((100 * waited / seconds).rounded()))% of the training time is waiting for samples; keep the "
      + "cache (--cache) on a local disk, give the worker more threads, or use smaller inputs"
  }

  /// A number with three decimals at most.
  static func round(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
}
