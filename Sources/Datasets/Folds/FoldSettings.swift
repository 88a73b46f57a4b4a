/// How samples are divided for cross-validation; the `folds` section of an experiment.
public struct FoldSettings: Codable, Sendable, Hashable {
  /// k of the cross-validation.
  public var count: Int
  /// Share of the samples outside the test part that selects epochs, thresholds and fusion weights.
  public var validation: Double
  /// `auto`, `none`, or the name of a column: see `SampleGroups`.
  public var group: String
  /// The columns whose combinations are spread evenly over the folds.
  public var stratify: [String]

  /// Settings from their parts.
  public init(
    count: Int = 5, validation: Double = 0.15, group: String = "auto", stratify: [String] = ["label", "type"]
  ) {
    (self.count, self.validation, self.group, self.stratify) = (count, validation, group, stratify)
  }

  /// Refuses values that no split can have.
  ///
  /// - Throws: `DatasetError` naming the key.
  public func validate() throws {
    guard count >= 2, count <= 1000 else {
      throw DatasetError("folds.count", "\(count) folds are not possible; take 2 or more, 5 is usual")
    }
    guard validation > 0, validation < 1 else {
      throw DatasetError(
        "folds.validation",
        "the share \(validation) is not between 0 and 1; without validation samples nothing can be "
          + "selected honestly, 0.15 is usual")
    }
  }
}
