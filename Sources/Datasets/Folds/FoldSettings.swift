/// How samples are divided for cross-validation; the `folds` section of an experiment.
public struct FoldSettings: Codable, Sendable, Hashable {
  /// How training and test are kept apart.
  public var `protocol`: FoldProtocol
  /// k of the cross-validation; with `cross-dataset` one k-th of a set without official parts is tested.
  public var count: Int
  /// How often the whole cross-validation is done, each time with another seed for division, weights and order.
  public var repeats: Int
  /// Share of the samples outside the test part that selects epochs, thresholds and fusion weights.
  public var validation: Double
  /// `auto`, `none`, or the name of a column: see `SampleGroups`.
  public var group: String
  /// The columns whose combinations are spread evenly over the folds.
  public var stratify: [String]
  /// The file of the protocol `given`; empty for the others.
  public var file: String?

  /// Settings from their parts.
  public init(
    protocol: FoldProtocol = .kFold, count: Int = 5, repeats: Int = 1, validation: Double = 0.15,
    group: String = "auto", stratify: [String] = ["label", "type"], file: String? = nil
  ) {
    (self.protocol, self.count, self.repeats) = (`protocol`, count, repeats)
    (self.validation, self.group, self.stratify, self.file) = (validation, group, stratify, file)
  }

  /// The seeds of the repetitions, from the experiment's own.
  public func seeds(_ seed: UInt64) -> [UInt64] { (0..<UInt64(repeats)).map { seed &+ $0 } }

  /// Refuses values that no split can have.
  ///
  /// - Throws: `DatasetError` naming the key.
  public func validate() throws {
    guard count >= 2, count <= 1000 else {
      throw DatasetError("folds.count", "\(count) is no number of folds; take 2 or more, 5 is usual")
    }
    guard (1...100).contains(repeats) else {
      throw DatasetError("folds.repeats", "\(repeats) repetitions are not possible; take 1 to 100")
    }
    let hasFile = !(file ?? "").isEmpty
    guard hasFile == (`protocol` == .given) else {
      throw DatasetError(
        "folds.file",
        hasFile
          ? "a file of folds is read with protocol: given, not with \(`protocol`.rawValue)"
          : "protocol: given needs the file with the parts, such as folds.csv of a run")
    }
    guard `protocol` != .given || repeats == 1 else {
      throw DatasetError("folds.repeats", "given folds are not divided anew; leave it out, or give a file a repetition")
    }
    guard validation > 0, validation < 1 else {
      throw DatasetError(
        "folds.validation",
        "the share \(validation) is not between 0 and 1; without validation samples nothing can be "
          + "selected honestly, 0.15 is usual")
    }
  }
}
