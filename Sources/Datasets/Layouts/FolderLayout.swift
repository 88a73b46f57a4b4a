public import Foundation

/// A folder tree with `real/` and `fake/` somewhere in it (any letter case, any nesting): every media file below one of
/// them is a sample with that label, and the first folder under `fake` names its type. What lies beside them is left
/// alone.
public struct FolderLayout: DatasetLayout {
  /// The name in experiments and on the command line.
  public let name = "folders"
  /// What the reader looks for.
  public let expectation = "media files are looked for below folders called real and fake"

  /// The reader.
  public init() {}

  /// Whether the path looks like it.
  public func recognises(_ url: URL) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && isFolder.boolValue
  }

  /// The samples that lists and names promise.
  public func read(_ url: URL, _ options: LayoutOptions) throws -> Dataset {
    var samples: [Sample] = []
    try FolderWalk.files(below: url) { path in
      let promised = FileKind.promised(by: path)
      guard !promised.isEmpty else { return }
      let parts = path.split(separator: "/")
      // The innermost of several decides: fake/real-photographs/real/a.png is real.
      guard let place = parts.dropLast().lastIndex(where: { Label(name: $0) != nil }) else { return }
      let label = Label(name: parts[place])!
      var sample = Sample(id: path, dataset: options.name, label: label)
      if label == .fake, place + 2 < parts.count { sample.type = String(parts[place + 1]) }
      sample.split = parts[..<place].lazy.compactMap { Self.splits[$0.lowercased()] }.last
      sample.modalities = promised
      samples.append(sample)
    }
    guard !samples.isEmpty else {
      throw DatasetError(
        url.path, "no media file lies below a folder called real or fake; put them there, or write a manifest")
    }
    samples.sort { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
    return Dataset(samples: samples)
  }

  /// Folder names above `real` and `fake` that are an official part's.
  private static let splits: [String: String] = [
    "train": "train", "training": "train", "valid": "validation", "val": "validation", "validation": "validation",
    "dev": "validation", "test": "test", "testing": "test",
  ]
}

/// Lists the files of a tree, links to folders included, each folder once.
enum FolderWalk {
  /// Calls `body` with the path of each file, relative to the root. Hidden files and folders are left out.
  ///
  /// - Throws: `DatasetError` when a folder cannot be read; what `body` throws.
  static func files(below root: URL, _ body: (String) throws -> Void) throws {
    var waiting = [""]
    var visited: Set<String> = []
    while let folder = waiting.popLast() {
      let place = folder.isEmpty ? root.path : root.path + "/" + folder
      guard visited.insert(URL(fileURLWithPath: place).resolvingSymlinksInPath().path).inserted else { continue }
      guard let handle = opendir(place) else {
        throw DatasetError(
          place, "the folder cannot be read: \(String(cString: strerror(errno))); check its permissions")
      }
      defer { closedir(handle) }
      while let entry = readdir(handle) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard !name.hasPrefix(".") else { continue }
        let path = folder.isEmpty ? name : folder + "/" + name
        var kind = Int32(entry.pointee.d_type)
        if kind == DT_LNK || kind == DT_UNKNOWN {
          var facts = stat()
          guard stat(root.path + "/" + path, &facts) == 0 else { continue }
          kind = facts.st_mode & S_IFMT == S_IFDIR ? Int32(DT_DIR) : Int32(DT_REG)
        }
        if kind == DT_DIR { waiting.append(path) } else if kind == DT_REG { try body(path) }
      }
    }
  }
}
