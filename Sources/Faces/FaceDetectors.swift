public import Foundation
import Synchronization

/// The face detectors of this process: found by their content, loaded when first needed, kept, and lent to one thread at
/// a time.
public final class FaceDetectors: Sendable {
  private let networks: [URL]
  private let cascades: URL?
  private let known = Mutex<[String: DetectorFiles]>([:])
  private let idle = Mutex<[String: [Lent]]>([:])

  private let searches = Mutex<[(key: String, search: FaceSearch)]>([])

  // Sendable by this invariant: whoever took it out of `idle` is the only one to use it.
  private struct Lent: @unchecked Sendable { let detector: FaceDetector }

  /// - Parameters:
  ///   - networks: ONNX files, or folders of them, that a YuNet detector may be in.
  ///   - cascades: the folder of OpenCV's cascades, where it is not the usual one.
  public init(networks: [URL] = [], cascades: URL? = nil) { (self.networks, self.cascades) = (networks, cascades) }

  /// The files of a detector by what a model file says of it.
  ///
  /// - Throws: `FaceError` if this machine does not have them, or has others.
  public func files(_ kind: DetectorFiles.Kind, hash: String) throws -> DetectorFiles {
    if let files = known.withLock({ $0[hash] }) { return files }
    let files: DetectorFiles
    switch kind {
    case .cascade:
      files = try DetectorFiles.cascades(in: cascades)
      guard files.hash == hash else {
        throw FaceError(
          "the face cascades in \(files.files[0].deletingLastPathComponent().path) are not those that the run began with "
            + "(there \(hash.prefix(12)), here \(files.hash.prefix(12))); install the same version of the package "
            + "opencv-data on every machine")
      }
    case .yunet:
      guard let found = try candidates().first(where: { $0.hash == hash }) else {
        throw FaceError(
          "the face detector of this model, an ONNX file with the hash \(hash.prefix(12)), is not "
            + (networks.isEmpty ? "named" : "at \(networks.map(\.path).joined(separator: ", "))")
            + "; name the file with --detector PATH")
      }
      files = found
    }
    known.withLock { $0[hash] = files }
    return files
  }

  private func candidates() throws -> [DetectorFiles] {
    try networks.flatMap { url -> [URL] in
      let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path))?.sorted()
      return names.map { $0.filter { $0.hasSuffix(".onnx") }.map { url.appending(path: $0) } } ?? [url]
    }.filter { FileManager.default.isReadableFile(atPath: $0.path) }.map(DetectorFiles.yunet)
  }

  /// Lends a detector for as long as `body` runs.
  ///
  /// - Throws: `FaceError` if it cannot be had; what `body` throws.
  func with<Value>(_ files: DetectorFiles, _ body: (FaceDetector) throws -> Value) throws -> Value {
    let detector = try idle.withLock { $0[files.hash]?.popLast() } ?? Lent(detector: FaceDetector(files))
    defer { idle.withLock { $0[files.hash, default: []].append(detector) } }
    return try body(detector.detector)
  }

  /// The search of a file as it was made a while ago, for another model's crops, or made now. Only the last few are kept.
  ///
  /// - Throws: what `make` throws.
  func search(_ file: URL, smallest: Double, _ files: DetectorFiles, _ make: () throws -> FaceSearch) throws
    -> FaceSearch
  {
    var status = stat()
    guard stat(file.path, &status) == 0 else { return try make() }
    // A file that was written over has another time, size or number.
    let key =
      "\(status.st_dev) \(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec) "
      + "\(status.st_ctim.tv_sec) \(status.st_ctim.tv_nsec) \(smallest) \(files.hash)"
    if let known = searches.withLock({ $0.first { $0.key == key } }) { return known.search }
    let search = try make()
    searches.withLock {
      $0.append((key, search))
      if $0.count > 32 { $0.removeFirst() }
    }
    return search
  }
}
