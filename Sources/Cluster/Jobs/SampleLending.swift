import Datasets
import Files
import Foundation
import Services
import Wire

/// The files of samples for a job of the coordinator: its own, or, where one is gone since it started, a worker's, for as
/// long as it is looked at.
struct SampleLending: Sendable {
  let context: any JobContext

  /// Calls `look` once, with roots that have the sample's files. What nobody has any more stays away, and the log says so.
  func lend(_ sample: Sample, _ roots: DataRoots, _ look: (DataRoots) -> Void) {
    var files: [String: URL] = [:]
    var borrowed: [URL] = []
    defer { for file in borrowed { unlink(file.path) } }
    for path in sample.paths {
      guard let content = sample.content(of: path) else { continue }
      if let file = context.localFile(of: content.sha256) {
        files[path] = file
        continue
      }
      // The ending helps the decoders.
      let ending = URL(filePath: path).pathExtension
      let place = context.directory.appending(path: "\(UUID().uuidString).\(ending.isEmpty ? "bin" : ending)")
      borrowed.append(place)
      do {
        let artifact = ArtifactReference(
          name: "sample \(sample.id.prefix(200))", sha256: content.sha256, size: content.bytes)
        _ = try context.download(artifact, to: place)
        files[path] = place
      } catch {
        context.log("\(roots.url(sample, path).path) is left out: \(error)")
      }
    }
    look(roots.replacing(files))
  }
}
