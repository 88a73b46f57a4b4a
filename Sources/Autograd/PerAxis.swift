/// A number for each spatial axis: one for all (`2`) or one each (`[1, 2]`).
public struct PerAxis: Sendable, Hashable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
  private let values: [Int]

  /// The same for every axis.
  public init(_ value: Int) { values = [value] }
  /// One for each axis, or a single one for all.
  public init(_ values: [Int]) { self.values = values }
  /// The same for every axis.
  public init(integerLiteral value: Int) { self.init(value) }
  /// One for each axis, or a single one for all.
  public init(arrayLiteral elements: Int...) { self.init(elements) }

  /// The numbers of `count` axes.
  ///
  /// - Traps: if there is neither one number nor `count`.
  public func expanded(to count: Int) -> [Int] {
    precondition(values.count == 1 || values.count == count, "\(values) does not fit \(count) spatial axes")
    return values.count == count ? values : Array(repeating: values[0], count: count)
  }
}
