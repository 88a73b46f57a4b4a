import Files

extension FoldPlan {
  /// What a person should know of folds that are as they should be, yet worse than they look: one group that holds most of
  /// the data, few groups, and columns that come with the group.
  public func notes(of dataset: Dataset) -> [String] {
    precondition(dataset.samples.count == testFold.count, "FoldPlan: the plan is of another data set")
    var sizes = [Int](repeating: 0, count: groups.count)
    for group in groups.indices { sizes[group] += 1 }
    guard let largest = sizes.indices.max(by: { sizes[$0] < sizes[$1] }), groups.count > 1 else { return [] }
    var notes: [String] = []
    let share = Double(sizes[largest]) / Double(groups.indices.count)
    if share > 1.5 / Double(max(2, settings.count)), settings.protocol != .official {
      notes.append(
        "the group \"\(groups.names[largest])\" holds \(sizes[largest]) of \(groups.indices.count) samples "
          + "(\(Int((100 * share).rounded()))%): its people are joined through identity and source, so no \(settings.count) "
          + "folds can be equal without dividing them. \(Self.alternatives(dataset))")
    }
    if settings.protocol == .kFold, groups.count < 4 * settings.count {
      notes.append(
        "\(counted(groups.count, "group")) for \(counted(settings.count, "fold")): a fold tests about "
          + "\(max(1, groups.count / settings.count)) of them, so believe the spread over folds and the intervals over "
          + "groups before the mean. \(Self.alternatives(dataset))")
    }
    let tied = groups.count <= 50 && settings.group == "auto" ? tiedColumns(dataset) : []
    if !tied.isEmpty {
      notes.append(
        "within each of the \(counted(groups.count, "group")) \(tied.joined(separator: ", ")) never changes: a fold tests other values "
          + "than it trains on, and its score is also a score of that")
    }
    return notes
  }

  /// What the field does where people cannot be kept apart. Published parts are offered only if nothing leaks between them.
  static func alternatives(_ dataset: Dataset) -> String {
    var (ways, leak) = ([String](), String?.none)
    if let official = published(dataset) {
      leak = LeakReport(official, of: dataset).leak
      if leak == nil { ways.append("takes the published parts (--protocol official, folds.protocol: official)") }
    }
    let persons = Set(dataset.samples.compactMap(\.identity))
    if persons.count > 2 {
      ways.append(
        "divides by the first person alone (--group identity, folds.group: identity: \(counted(persons.count, "group"))), and then the "
          + "leak report counts what is shared beside")
    }
    return [
      ways.isEmpty ? "" : "The field \(ways.joined(separator: ", or ")).",
      leak.map { "The published parts (--protocol official) are no way out: \($0)." } ?? "",
    ].filter { !$0.isEmpty }.joined(separator: " ")
  }

  // The published parts as one fold, validation not yet divided off; nil where there are none.
  private static func published(_ dataset: Dataset) -> FoldPlan? {
    guard let roles = try? officialRoles(dataset), let groups = try? SampleGroups(dataset, rule: "auto") else {
      return nil
    }
    let parts = roles.map { role -> Part in
      switch role {
      case .rest, .train: .train
      case .validation: .validation
      case .test: .test
      case .unused: .unused
      }
    }
    return FoldPlan(
      settings: FoldSettings(protocol: .official), groups: groups, testFold: parts.map { $0 == .test ? 0 : -1 },
      parts: [parts], names: ["official"])
  }

  // Columns with several values in the data, and one within each group.
  private func tiedColumns(_ dataset: Dataset) -> [String] {
    dataset.extraColumns.indices.filter { column in
      var values = [String?](repeating: nil, count: groups.count)
      for (index, sample) in dataset.samples.enumerated() {
        let (group, value) = (groups.indices[index], sample.extra[column])
        if let known = values[group], known != value { return false }
        values[group] = value
      }
      return Set(values.compactMap(\.self)).count > 1
    }.map { dataset.extraColumns[$0] }
  }
}
