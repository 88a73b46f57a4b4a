internal import Files
internal import Foundation

extension FoldTable {
  /// The folds of a file that somebody made: `folds.csv` as it was exported, or any CSV file with a column `sample`, and
  /// either `fold` (the fold that tests it; validation is then divided off the rest) or a column `fold_<k>` for each fold
  /// with the parts by name. `dataset` may be left out where ids tell samples apart. Samples without a row, or with an
  /// empty cell, are unused. Groups follow from the settings, not from the file, so that the leak report judges it.
  ///
  /// - Throws: `DatasetError` or `FileProblem` naming the line.
  static func given(_ dataset: Dataset, _ settings: FoldSettings, seed: UInt64) throws -> FoldPlan {
    let path = settings.file ?? ""
    let reader = try CSVReader(contentsOf: URL(fileURLWithPath: path))
    let header = reader.header.map(\.trimmed)
    func column(_ name: String) -> Int? { header.firstIndex(of: name) }
    guard let sample = column("sample") ?? column("path") else {
      throw DatasetError("\(path):1", "the column \"sample\" is missing; it has a sample's path as in the data")
    }
    let (set, test) = (column("dataset"), column("fold"))
    let folds = header.indices.filter { header[$0].hasPrefix("fold_") }
    guard !folds.isEmpty || test != nil else {
      throw DatasetError(
        "\(path):1",
        "there is neither a column \"fold\" with the fold that tests a sample nor columns fold_0, fold_1, …")
    }
    var positions: [SampleKey: Int] = [:]
    for (index, sample) in dataset.samples.enumerated() {
      let key = set == nil ? SampleKey(dataset: "", id: sample.id) : SampleKey(sample)
      guard positions.updateValue(index, forKey: key) == nil else {
        throw DatasetError(
          "\(path):1", "\(sample.id) is in two data sets; add the column \"dataset\" to tell them apart")
      }
    }
    var isSeen = [Bool](repeating: false, count: dataset.samples.count)
    var parts = folds.map { _ in [Part](repeating: .unused, count: dataset.samples.count) }
    var tests = [String](repeating: "", count: dataset.samples.count)
    try reader.forEachRow { line, fields in
      let key = SampleKey(dataset: set.map { fields[$0] } ?? "", id: fields[sample])
      guard let index = positions[key] else {
        let name = set == nil ? "" : " of data set \(key.dataset)"
        throw DatasetError(
          "\(path):\(line)", "the data has no sample \(key.id)\(name); names are those of `folds --output`")
      }
      guard !isSeen[index] else { throw DatasetError("\(path):\(line)", "sample \(key.id) stands here twice") }
      isSeen[index] = true
      for (fold, column) in folds.enumerated() where !fields[column].isEmpty {
        guard let part = Part(rawValue: FoldPlan.partName(fields[column].trimmed)) else {
          throw DatasetError(
            "\(path):\(line)", "part \"\(fields[column])\" is not train, validation, test or unused")
        }
        parts[fold][index] = part
      }
      if let test { tests[index] = fields[test].trimmed }
    }
    let groups = try SampleGroups(dataset, rule: settings.group)
    var names = folds.map { header[$0].split(separator: ":", maxSplits: 1).dropFirst().first.map(String.init) }
    if folds.isEmpty {
      let values = Set(tests).subtracting([""])
      guard values.count > 1 else {
        throw DatasetError(path, "all samples have the same fold; folds test one another's samples, so two are needed")
      }
      let sorted = values.allSatisfy { Int($0) != nil } ? values.sorted { Int($0)! < Int($1)! } : values.sorted()
      let whole = sorted.map { fold in tests.map { $0 == fold ? Part.test : $0.isEmpty ? .unused : .train } }
      parts = try FoldPlan.withValidation(whole, dataset, settings, groups, seed: seed)
      names = sorted.map { Int($0) == nil ? $0 : nil }
    }
    var testFold = [Int](repeating: -1, count: dataset.samples.count)
    for fold in parts.indices {
      for part in [Part.train, .validation, .test] where !parts[fold].contains(part) {
        throw DatasetError(path, "the \(part.rawValue) part of fold \(names[fold] ?? "\(fold)") is empty")
      }
      for index in testFold.indices where testFold[index] < 0 && parts[fold][index] == .test { testFold[index] = fold }
    }
    return FoldPlan(
      settings: settings, groups: groups, testFold: testFold, parts: parts,
      names: names.contains(nil) ? [] : names.map { $0! })
  }
}
