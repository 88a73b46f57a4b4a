internal import Files
public import Foundation

/// Writes and reads `folds.csv`: `sample,dataset,group,label,type,fold`, then a column `fold_<k>` for each fold with the
/// part (train, validation, test, unused) that the sample has in it. `fold` is the first one that tests it, empty where none
/// does. A fold with a name of its own has the column `fold_<k>:<name>`.
public enum FoldTable {
  private static let columns = ["sample", "dataset", "group", "label", "type", "fold"]

  /// Writes the plan of a data set.
  ///
  /// - Throws: `FileProblem`.
  public static func write(_ plan: FoldPlan, of dataset: Dataset, to url: URL) throws {
    precondition(dataset.samples.count == plan.testFold.count, "FoldTable: the plan is of another data set")
    var file = CSVWriter(
      header: columns + (0..<plan.count).map { plan.names.isEmpty ? "fold_\($0)" : "fold_\($0):\(plan.names[$0])" })
    for (index, sample) in dataset.samples.enumerated() {
      file.append(
        [
          sample.id, sample.dataset, plan.groups.names[plan.groups.indices[index]], sample.label.name, sample.type,
          plan.testFold[index] < 0 ? "" : "\(plan.testFold[index])",
        ] + plan.parts.map { $0[index].rawValue })
    }
    try writeAtomically(file.text, to: url)
  }

  /// Reads the plan of a data set; rows may be in any order.
  ///
  /// - Throws: `DatasetError` or `FileProblem` when a sample is missing, unknown or doubled, or a part is not one.
  public static func read(_ url: URL, of dataset: Dataset, settings: FoldSettings) throws -> FoldPlan {
    let reader = try CSVReader(contentsOf: url)
    let place = try columns.map { try reader.column($0) }
    let folds = reader.header.indices.filter { reader.header[$0].hasPrefix("fold_") }
    guard !folds.isEmpty else {
      throw DatasetError("\(url.path):1", "there is no column fold_0, so no fold is described")
    }
    var positions: [SampleKey: Int] = [:]
    for (index, sample) in dataset.samples.enumerated() { positions[SampleKey(sample)] = index }
    var testFold = [Int](repeating: -1, count: dataset.samples.count)
    var parts = [[Part]](repeating: [Part](repeating: .train, count: dataset.samples.count), count: folds.count)
    var groupIndices = [Int](repeating: 0, count: dataset.samples.count)
    var names: [String] = []
    var numbers: [SampleKey: Int] = [:]
    try reader.forEachRow { line, fields in
      let key = SampleKey(dataset: fields[place[1]], id: fields[place[0]])
      guard let index = positions.removeValue(forKey: key) else {
        throw DatasetError(
          "\(url.path):\(line)", "sample \(key.id) of data set \(key.dataset) is not in the data, or stands here twice")
      }
      guard let fold = fields[place[5]].isEmpty ? -1 : Int(fields[place[5]]), fold == -1 || folds.indices.contains(fold)
      else {
        throw DatasetError("\(url.path):\(line)", "fold \"\(fields[place[5]])\" is not one of 0 to \(folds.count - 1)")
      }
      testFold[index] = fold
      for (fold, column) in folds.enumerated() {
        guard let part = Part(rawValue: fields[column]) else {
          throw DatasetError(
            "\(url.path):\(line)", "part \"\(fields[column])\" is not train, validation, test or unused")
        }
        parts[fold][index] = part
      }
      let group = SampleKey(dataset: key.dataset, id: fields[place[2]])
      if numbers[group] == nil {
        numbers[group] = names.count
        names.append(group.id)
      }
      groupIndices[index] = numbers[group]!
    }
    if let missing = positions.keys.map(\.id).min() {
      throw DatasetError(
        url.path, "\(counted(positions.count, "sample")) of the data have no row here, for example \(missing)")
    }
    let titles = folds.map { reader.header[$0].split(separator: ":", maxSplits: 1).dropFirst().first.map(String.init) }
    return FoldPlan(
      settings: settings, groups: SampleGroups(indices: groupIndices, names: names), testFold: testFold, parts: parts,
      names: titles.contains(nil) ? [] : titles.map { $0! })
  }
}
