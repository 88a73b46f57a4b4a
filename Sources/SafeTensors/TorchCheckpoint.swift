public import Foundation
public import Tensor

/// A state dictionary written by `torch.save` (PyTorch 1.6 and newer), read without Python and without running any of
/// it. Tensors are views of the mapped file where their bytes allow it.
///
///     let checkpoint = try TorchCheckpoint(URL(filePath: "r3d_18.pth"))
///     print(checkpoint.tensors.count, checkpoint.ignored)
public struct TorchCheckpoint: Sendable {
  /// Tensors by their names in the state dictionary.
  public let tensors: [String: Tensor]
  /// Other entries: epochs, optimizer states, numbers among the tensors.
  public let ignored: [String]

  // Ten times what the largest models' dictionaries need.
  private static let pickleLimit = 32 << 20
  /// Where training scripts put the weights when they save more than these.
  private static let wrappers = ["state_dict", "model_state_dict", "model", "module", "net", "network"]

  /// Opens a file.
  ///
  /// - Throws: `WeightFileError` if it is damaged, of another format, or holds anything but tensors and plain values.
  public init(_ url: URL) throws {
    let path = url.path
    if fileHead(path, 4) == [0x80, 0x02, 0x8A, 0x0A] {
      throw WeightFileError(
        path, "it is in PyTorch's format from before version 1.6; load it with a newer PyTorch and torch.save it again")
    }
    let archive = try ZipArchive(url)
    let pickles = archive.names.filter { $0.hasSuffix("/data.pkl") && $0.count { $0 == "/" } == 1 }
    guard pickles.count == 1, let name = pickles.first else {
      throw WeightFileError(path, "it is a zip archive, but not one of torch.save")
    }
    let top = name.dropLast("data.pkl".count)
    guard !archive.names.contains("\(top)constants.pkl") else {
      throw WeightFileError(path, "it is a TorchScript program; save the model's state_dict() instead")
    }
    if let order = try archive.bytes("\(top)byteorder"), !order.elementsEqual("little".utf8) {
      throw WeightFileError(path, "its numbers are not in little-endian order")
    }
    guard let bytes = try archive.bytes(name), bytes.count <= TorchCheckpoint.pickleLimit else {
      throw WeightFileError(path, "its data.pkl is larger than any state_dict needs")
    }
    let pickle: Pickle
    do {
      pickle = try Pickle(bytes)
    } catch {
      throw WeightFileError(path, error.reason)
    }
    guard let (entries, others) = TorchCheckpoint.stateDictionary(pickle) else {
      throw WeightFileError(path, "it holds no dictionary of tensors; save the model's state_dict()")
    }
    var reader = StorageReader(archive: archive, top: String(top))
    var (tensors, ignored): ([String: Tensor], [String]) = ([:], others)
    for (key, value) in entries {
      guard case .string(let key) = key else { continue }
      guard case .tensor(let index) = value else {
        ignored.append(key)
        continue
      }
      tensors[key] = try reader.tensor(pickle.tensors[index], named: key)
    }
    (self.tensors, self.ignored) = (tensors, ignored)
  }

  /// The dictionary of tensors: the whole pickle, or the part of it that usual training scripts put them in.
  private static func stateDictionary(
    _ pickle: Pickle
  ) -> (entries: [(key: Pickle.Value, value: Pickle.Value)], others: [String])? {
    func hasTensors(_ entries: [(key: Pickle.Value, value: Pickle.Value)]) -> Bool {
      entries.contains { if case .tensor = $0.value { true } else { false } }
    }
    guard let root = pickle.dictionary(pickle.root) else { return nil }
    if hasTensors(root) { return (root, []) }
    for wrapper in wrappers {
      guard let found = root.last(where: { $0.key == .string(wrapper) }), let inner = pickle.dictionary(found.value),
        hasTensors(inner)
      else { continue }
      let others = root.compactMap { entry -> String? in
        guard case .string(let key) = entry.key, key != wrapper else { return nil }
        return key
      }
      return (inner, others)
    }
    return nil
  }
}

/// Tensors out of an archive's records; a record is checked once, however many tensors share it.
private struct StorageReader {
  let archive: ZipArchive
  let top: String
  private var storages: [String: Storage] = [:]
  private var records: [String: UnsafeRawBufferPointer] = [:]

  init(archive: ZipArchive, top: String) { (self.archive, self.top) = (archive, top) }

  mutating func tensor(_ view: Pickle.View, named name: String) throws -> Tensor {
    let sizes = ["DoubleStorage": 8, "ShortStorage": 2, "CharStorage": 1]
    let dtypes: [String: DType] = [
      "FloatStorage": .float32, "HalfStorage": .float16, "BFloat16Storage": .bfloat16, "LongStorage": .int64,
      "IntStorage": .int32, "ByteStorage": .uint8, "BoolStorage": .bool,
    ]
    let dtype = dtypes[view.storageType]
    guard let size = dtype?.size ?? sizes[view.storageType] else {
      throw WeightFileError(archive.path, "tensor \(quoted(name)) has the unknown type \(quoted(view.storageType))")
    }
    guard let bytes = try records[view.key] ?? archive.bytes("\(top)data/\(view.key)") else {
      throw WeightFileError(archive.path, "the values of tensor \(quoted(name)) are missing")
    }
    records[view.key] = bytes
    let (needed, overflow) = view.storageCount.multipliedReportingOverflow(by: size)
    guard !overflow, needed == bytes.count else {
      throw WeightFileError(
        archive.path,
        "tensor \(quoted(name)) lies in \(view.storageCount) elements of \(size) bytes, but \(bytes.count) are there")
    }
    let layout = Layout(shape: view.shape, strides: view.strides, offset: view.offset)
    guard dtype != nil || view.storageType == "DoubleStorage" else {
      throw WeightFileError(
        archive.path, "tensor \(quoted(name)) has the type \(view.storageType), not supported here")
    }
    guard layout.count > 0 else { return Tensor(layout: Layout(view.shape), dtype: dtype ?? .float32) { _ in } }
    // One storage a record, however many tensors look into it.
    let key = "\(view.storageType) \(view.key)"
    let storage = storages[key] ?? dtype.map { stored(bytes, $0) } ?? narrowed(bytes)
    storages[key] = storage
    return Tensor(storage: storage, layout: layout, dtype: dtype ?? .float32)
  }

  /// The record itself, or an aligned copy of it.
  private func stored(_ bytes: UnsafeRawBufferPointer, _ dtype: DType) -> Storage {
    if Int(bitPattern: bytes.baseAddress!) % 8 == 0 { return Storage(external: bytes, owner: archive.file) }
    return Tensor(layout: Layout([bytes.count / dtype.size]), dtype: dtype) { $0.copyMemory(from: bytes) }.storage
  }

  /// Doubles as floats: what every operation computes in.
  private func narrowed(_ bytes: UnsafeRawBufferPointer) -> Storage {
    Tensor([bytes.count / 8]) { narrow(bytes, to: $0) }.storage
  }
}
