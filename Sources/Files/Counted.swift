/// A number with its noun: `1 fold`, `5 folds`, `2 identities`.
///
/// - Parameter plural: the noun for all numbers but 1; by default with an s.
public func counted(_ number: Int, _ noun: String, _ plural: String? = nil) -> String {
  "\(number) \(number == 1 ? noun : plural ?? noun + "s")"
}
