import Files

/// How many samples of a published data set are here, beside how many its authors state.
public struct PublishedCounts: Encodable, Sendable {
  /// The part.
  public let part: String
  /// What the authors state.
  public let published: ClassCounts
  /// What lists and names promise in this copy.
  public let listed: ClassCounts
  /// Of these, what can be used.
  public let have: ClassCounts
  /// What is counted.
  public let unit: DatasetDescription.Published.Unit
  /// Whether the authors' counts are round numbers.
  public let isRounded: Bool

  /// How many are missing; negative where there are more than published.
  public var missing: Int { published.total - have.total }

  /// Whether all that was published is here; round numbers are met by 95 %.
  public var isComplete: Bool {
    func enough(_ have: Int, _ published: Int) -> Bool {
      isRounded ? Double(have) >= 0.95 * Double(published) : have >= published
    }
    return enough(have.real, published.real) && enough(have.fake, published.fake)
  }

  /// The line for a person.
  public var line: String {
    let what = unit == .folders ? "folder" : "sample"
    let text =
      "\(part): published real \(published.real), fake \(published.fake); here real \(have.real), fake \(have.fake)"
      + (listed == have ? "" : " of real \(listed.real), fake \(listed.fake) listed")
    if have == published { return text + ": complete" }
    if isRounded { return text + " (the published numbers are rounded)" }
    let extra = max(0, have.real - published.real) + max(0, have.fake - published.fake)
    let lacking = max(0, published.real - have.real) + max(0, published.fake - have.fake)
    return text + ": "
      + [lacking > 0 ? "\(counted(lacking, what)) missing" : "", extra > 0 ? "\(extra) more than published" : ""]
      .filter { !$0.isEmpty }.joined(separator: ", ")
  }

  /// The counts of a scanned data set beside those of its layout's description; parts that a copy cannot have, and
  /// additions that this one has nothing of, are left out.
  ///
  /// - Throws: never for data that the layout has read.
  public static func compare(_ dataset: Dataset, with description: DatasetDescription) throws -> [PublishedCounts] {
    try description.published.flatMap { part -> [PublishedCounts] in
      guard let columns = part.columns else { return [] }
      let wanted = try columns.sorted { $0.key < $1.key }.map {
        (value: try SampleGroups.column($0.key, of: dataset), text: $0.value)
      }
      let each = try part.each.map { try SampleGroups.column($0, of: dataset) }
      // Each compression or version that is here at all is compared with a whole one.
      let values = each.map { value in Set(dataset.samples.map { value($0) ?? "" }).sorted() } ?? [""]
      return values.compactMap { value in
        let chosen = dataset.samples.filter { sample in
          wanted.allSatisfy { $0.value(sample) == $0.text } && (each.map { ($0(sample) ?? "") == value } ?? true)
        }
        if part.isAddition, chosen.isEmpty { return nil }
        return PublishedCounts(
          part: each == nil || value.isEmpty ? part.part : "\(part.part), \(value)", published: part.counts,
          listed: count(chosen, part.unit), have: count(chosen.filter { $0.problem == nil }, part.unit),
          unit: part.unit,
          isRounded: part.isRounded)
      }
    }
  }

  private static func count(_ samples: [Sample], _ unit: DatasetDescription.Published.Unit) -> ClassCounts {
    var counts = ClassCounts()
    var seen: Set<Substring> = []
    for sample in samples {
      if unit == .folders {
        let folder = sample.id.lastIndex(of: "/").map { sample.id[..<$0] } ?? ""
        guard seen.insert(folder).inserted else { continue }
      }
      counts.add(sample.label)
    }
    return counts
  }
}
