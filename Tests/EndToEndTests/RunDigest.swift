import Files
import Foundation

/// What must be the same for every number of workers and after every fault: each file under `Models/`, `Scores/` and
/// `Results/`, and `folds.csv`, without the columns that hold times.
enum RunDigest {
  /// A digest a file, by its path in the run directory.
  static func files(of run: URL) throws -> [String: String] {
    var digests: [String: String] = [:]
    for top in ["Models", "Scores", "Results", "folds.csv"] {
      let root = run.appending(path: top)
      let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
      for path in paths.isEmpty ? [""] : paths {
        let file = path.isEmpty ? root : root.appending(path: path)
        guard (try? file.resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true else { continue }
        let name = path.isEmpty ? top : "\(top)/\(path)"
        digests[name] = name.hasSuffix(".csv") ? try sha256(withoutTimes(file)) : try sha256(of: file)
      }
    }
    return digests
  }

  private static func withoutTimes(_ file: URL) throws -> String {
    let reader = try CSVReader(contentsOf: file)
    let kept = reader.header.indices.filter { index in
      let name = reader.header[index].lowercased()
      return !name.hasPrefix("time_")
    }
    var writer = CSVWriter(header: kept.map { reader.header[$0] })
    try reader.forEachRow { _, fields in writer.append(kept.map { fields[$0] }) }
    return writer.text
  }
}
