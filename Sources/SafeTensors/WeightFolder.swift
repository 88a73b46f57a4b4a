public import Foundation
public import Tensor

/// The weights in a folder, in whichever of the usual files they are: `model.safetensors`, or several with
/// `model.safetensors.index.json`, or the same of PyTorch (`pytorch_model.bin`).
///
///     let weights = try WeightFolder(folder)
///     print(weights.files, weights.tensors.count)
public struct WeightFolder: Sendable {
  /// Every tensor by the name that the files give it.
  public let tensors: [String: Tensor]
  /// The files that were read, by name.
  public let files: [String]
  /// Entries of PyTorch files that are no tensors.
  public let ignored: [String]

  // The index of the largest published models has some 9 MB.
  private static let indexLimit = 16 << 20

  /// Reads a folder.
  ///
  /// - Parameter allowsPickle: whether PyTorch's own files are read, too.
  /// - Throws: `WeightFileError` or `SafeTensorsError` if there are no weights, or they are not well-formed.
  public init(_ folder: URL, allowsPickle: Bool = true) throws {
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder.appending(path: name).path) }
    var names = ["model.safetensors", "model.safetensors.index.json"]
    if allowsPickle { names += ["pytorch_model.bin", "pytorch_model.bin.index.json"] }
    guard let name = names.first(where: exists) else {
      if !allowsPickle, exists("pytorch_model.bin") || exists("pytorch_model.bin.index.json") {
        throw WeightFileError(folder.path, "its weights are in PyTorch's format; `unmask models import` converts them")
      }
      throw WeightFileError(folder.path, "it has none of \(names.joined(separator: ", "))")
    }
    if name.hasSuffix(".json") {
      self = try WeightFolder(folder, index: name)
    } else {
      self = try WeightFolder(file: folder.appending(path: name))
    }
  }

  /// Reads one file, safetensors or PyTorch's, told by its content.
  ///
  /// - Throws: `WeightFileError` or `SafeTensorsError`.
  public init(file: URL) throws {
    let head = fileHead(file.path, 16)
    if head.starts(with: "version https://".utf8) {
      throw WeightFileError(file.path, "it is a pointer of Git LFS, not the file itself; run git lfs pull")
    }
    if head.starts(with: "PK".utf8) || ["pth", "pt", "bin"].contains(file.pathExtension) {
      let checkpoint = try TorchCheckpoint(file)
      (tensors, ignored) = (checkpoint.tensors, checkpoint.ignored)
    } else {
      (tensors, ignored) = (try SafeTensorsFile(file).tensors(), [])
    }
    files = [file.lastPathComponent]
  }

  private init(_ folder: URL, index: String) throws {
    let url = folder.appending(path: index)
    let size = try? FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int
    guard let size, size <= WeightFolder.indexLimit, let data = try? Data(contentsOf: url) else {
      throw WeightFileError(url.path, "it can't be read, or is larger than any index")
    }
    guard let map = try? JSONDecoder().decode(ShardIndex.self, from: data).weight_map, !map.isEmpty else {
      throw WeightFileError(url.path, "it has no \"weight_map\" from tensors to files")
    }
    let shards = Dictionary(grouping: map.keys, by: { map[$0]! })
    var (tensors, ignored): ([String: Tensor], [String]) = ([:], [])
    for (shard, names) in shards.sorted(by: { $0.key < $1.key }) {
      // A name in the same folder and nothing else, whatever the index would like to be read.
      guard !shard.isEmpty, shard != ".", shard != "..", !shard.contains("/"), !shard.contains("\0") else {
        throw WeightFileError(url.path, "it names the file \(quoted(shard)), which is not one of this folder")
      }
      let file = folder.appending(path: shard)
      guard FileManager.default.fileExists(atPath: file.path) else {
        throw WeightFileError(url.path, "the file \(quoted(shard)) that it names is missing")
      }
      let content = try WeightFolder(file: file)
      for name in names {
        guard let tensor = content.tensors[name] else {
          throw WeightFileError(url.path, "it says that \(quoted(name)) is in \(shard), which has no such tensor")
        }
        tensors[name] = tensor
      }
      if let extra = content.tensors.keys.filter({ map[$0] != shard }).min() {
        throw WeightFileError(url.path, "\(shard) has the tensor \(quoted(extra)), which the index does not put there")
      }
      ignored += content.ignored
    }
    (self.tensors, self.ignored, files) = (tensors, ignored, [index] + shards.keys.sorted())
  }
}

private struct ShardIndex: Decodable {
  let weight_map: [String: String]
}
