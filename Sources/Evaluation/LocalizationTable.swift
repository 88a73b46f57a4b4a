import Files
public import Foundation

/// Reading of what is fake in recordings, and of what a detector proposes.
extension LocalizedRecording {
  /// Reads a manifest (columns path, sample or id; `intervals`, or the column of another name, as `start-end;start-end` in seconds) and tables of proposals
  /// (columns sample, score, start, end), whose order is kept. Recordings without proposals count with their labels.
  ///
  /// - Throws: `FileProblem` or `EvaluationError` naming the line.
  public static func read(
    manifest url: URL, intervals column: String = "intervals", proposals files: [URL]
  ) throws -> [LocalizedRecording] {
    let manifest = try CSVReader(contentsOf: url)
    let name =
      try ["sample", "path", "id"].lazy.compactMap(manifest.header.firstIndex(of:)).first
      ?? manifest.column("sample")
    let intervals = try manifest.column(column)
    var positions: [String: Int] = [:]
    var recordings: [LocalizedRecording] = []
    try manifest.forEachRow { line, fields in
      guard positions.updateValue(recordings.count, forKey: fields[name]) == nil else {
        throw EvaluationError("\(url.path):\(line): \(fields[name]) is listed twice; list a recording once")
      }
      let labels = try fields[intervals].split(separator: ";").map { part in
        // Every hyphen is tried, for "1e-05-0.5" has two.
        let ends = part.indices.lazy.filter { part[$0] == "-" }.compactMap { hyphen -> (start: Double, end: Double)? in
          guard let start = Double(part[..<hyphen]) else { return nil }
          return Double(part[part.index(after: hyphen)...]).map { (start, $0) }
        }
        guard let found = ends.first, found.start >= 0, found.end > found.start, found.end.isFinite else {
          throw EvaluationError(
            "\(url.path):\(line): \"\(part)\" is no interval; write start-end in seconds, such as 0.5-1.2")
        }
        return found
      }
      recordings.append(LocalizedRecording(labels: labels, proposals: []))
    }
    for file in files {
      let table = try CSVReader(contentsOf: file)
      let sample = try table.column("sample")
      let columns = try ["score", "start", "end"].map(table.column)
      try table.forEachRecord { line, fields in
        guard let place = positions[fields[sample]] else {
          throw EvaluationError(
            "\(file.path):\(line): \(fields[sample]) is not in \(url.path); list every recording there")
        }
        let numbers = columns.compactMap { fields.number($0) }.filter(\.isFinite)
        guard numbers.count == 3, numbers[2] >= numbers[1] else {
          throw EvaluationError("\(file.path):\(line): a proposal needs three numbers, score, start and a later end")
        }
        recordings[place].proposals.append(IntervalProposal(score: numbers[0], start: numbers[1], end: numbers[2]))
      }
    }
    return recordings
  }
}
