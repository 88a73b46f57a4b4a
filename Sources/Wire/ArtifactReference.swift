/// A file of the run by name and content: who has these bytes has the file.
public struct ArtifactReference: Codable, Sendable, Hashable {
  /// The relative path in the run directory: "Models/frames/fold-0.safetensors".
  public var name: String
  /// The SHA-256 of the content, 64 lower-case hexadecimal digits.
  public var sha256: String
  /// The size in bytes.
  public var size: Int

  /// Names a file by its content.
  public init(name: String, sha256: String, size: Int) {
    self.name = name
    self.sha256 = sha256
    self.size = size
  }

  /// Whether a text is the SHA-256 of a content: 64 lower-case hexadecimal digits.
  public static func isContent(_ text: String) -> Bool {
    text.utf8.count == 64 && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
  }

  /// Whether a name may stand for a file: a relative path of plain parts, so that no name leaves the run directory,
  /// hides, or is taken for the ledger.
  public static func isValid(name: String) -> Bool {
    guard !name.isEmpty, name.utf8.count <= 512, name != "run.sqlite", name != "run.lock" else { return false }
    return name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
      !part.isEmpty && !part.hasPrefix(".") && part.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != 0x5C }
    }
  }
}
