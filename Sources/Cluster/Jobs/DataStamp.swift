import Datasets
import Files
import Foundation

/// What a run's data looked like when it was scanned: all rows of the lists, and which file each path named. A coordinator
/// that is started again compares it, and need not read every file before it listens: its workers wait for it.
struct DataStamp: Equatable {
  private let sha256: String

  /// Of data that was not scanned yet.
  ///
  /// - Cost: a look at every file's entry, not at its content.
  init(_ dataset: Dataset, _ roots: DataRoots) {
    let files = dataset.samples.flatMap { sample in
      sample.paths.map { FileIdentity(path: roots.url(sample, $0).path)?.text ?? "missing" }
    }
    sha256 = Files.sha256(SampleTable.text(dataset) + files.joined(separator: "\n"))
  }

  /// The one that a run's folder keeps; nil if it keeps none.
  init?(of directory: URL) {
    guard let bytes = try? readFile(Self.place(directory)) else { return nil }
    sha256 = String(decoding: bytes, as: UTF8.self)
  }

  /// Keeps it in a run's folder.
  ///
  /// - Throws: `FileProblem`.
  func write(to directory: URL) throws {
    let place = Self.place(directory)
    try makeFolder(place.deletingLastPathComponent())
    try writeAtomically(sha256, to: place)
  }

  private static func place(_ directory: URL) -> URL { directory.appending(path: ".state/data.sha256") }
}
