import Files
import Foundation

/// The files outside the run directory that may be asked for by their content, as they were when the coordinator started.
struct OfferedFiles: Sendable {
  private let files: [String: (path: String, identity: FileIdentity?)]

  init(_ files: [RunPlan.OfferedFile] = []) {
    self.files = Dictionary(
      files.map { ($0.sha256, ($0.file.path, FileIdentity(path: $0.file.path))) }, uniquingKeysWith: { $1 })
  }

  /// Whether a content is that of such a file.
  func contains(_ content: String) -> Bool { files[content] != nil }

  /// Where a content is, or was.
  func path(of content: String) -> String? { files[content]?.path }

  /// Whether an open file is the one with a content.
  func isIntact(_ handle: Int32, _ content: String) -> Bool {
    files[content].map { $0.identity != nil && $0.identity == FileIdentity(handle) } ?? false
  }

  /// Whether the file with a content is not there any more as it was.
  func isLost(_ content: String) -> Bool {
    files[content].map { $0.identity == nil || $0.identity != FileIdentity(path: $0.path) } ?? false
  }
}
