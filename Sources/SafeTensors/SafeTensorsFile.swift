public import Foundation
public import Tensor

/// A safetensors file, mapped into memory: tensors are views of the file, nothing is copied until it is used.
///
/// Reading trusts nothing: every number of the header is checked against the file's own length before it is used.
public struct SafeTensorsFile: Sendable {
  /// The file's own notes.
  public let metadata: [String: String]
  /// Tensor names in the order of their bytes.
  public let names: [String]
  /// Where the file is, for messages.
  public let path: String
  private let entries: [String: HeaderEntry]
  private let file: MappedFile
  private let dataStart: Int

  // Larger headers than any model's: the largest published ones have some 10 MB.
  private static let headerLimit = 100_000_000

  /// Opens a file and checks its header.
  ///
  /// - Throws: `SafeTensorsError` if it can't be read or is not well-formed in every detail.
  public init(_ url: URL) throws {
    path = url.path
    file = try MappedFile(path)
    let stated = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
    guard stated <= SafeTensorsFile.headerLimit, Int(stated) <= file.bytes.count - 8 else {
      throw SafeTensorsError(path, "its header claims \(stated) bytes of \(file.bytes.count - 8)")
    }
    dataStart = 8 + Int(stated)
    do {
      let header = try Header(
        UnsafeRawBufferPointer(rebasing: file.bytes[8..<dataStart]), dataLength: file.bytes.count - dataStart)
      metadata = header.metadata
      names = header.entries.map(\.name)
      entries = Dictionary(uniqueKeysWithValues: header.entries.map { ($0.name, $0) })
    } catch {
      throw SafeTensorsError(path, error.reason)
    }
  }

  /// The shape of a tensor, nil if there is none of this name.
  public func shape(of name: String) -> [Int]? { entries[name]?.shape }

  /// The format's own name of a tensor's type, e.g. `F32`.
  public func typeName(of name: String) -> String? { entries[name]?.type }

  /// One tensor, in the type that the file has; doubles as floats, what every operation computes in.
  ///
  /// - Throws: `SafeTensorsError` if there is none of this name or its type is one that we do not compute with.
  public func tensor(_ name: String) throws -> Tensor {
    guard let entry = entries[name] else { throw SafeTensorsError(path, "it has no tensor \(quoted(name))") }
    let layout = Layout(entry.shape)
    let bytes = UnsafeRawBufferPointer(
      rebasing: file.bytes[dataStart + entry.range.lowerBound..<dataStart + entry.range.upperBound])
    if entry.type == "F64" { return Tensor(layout: layout) { narrow(bytes, to: $0) } }
    guard let dtype = DType(safeTensorsName: entry.type) else {
      throw SafeTensorsError(path, "tensor \(quoted(name)) has type \(entry.type), which is not supported")
    }
    guard !bytes.isEmpty, Int(bitPattern: bytes.baseAddress!) % dtype.size == 0 else {
      return Tensor(layout: layout, dtype: dtype) { $0.copyMemory(from: bytes) }
    }
    return Tensor(storage: Storage(external: bytes, owner: file), layout: layout, dtype: dtype)
  }

  /// Every tensor by name.
  ///
  /// - Throws: `SafeTensorsError` if one has a type that we do not compute with.
  public func tensors() throws -> [String: Tensor] {
    try Dictionary(uniqueKeysWithValues: names.map { ($0, try tensor($0)) })
  }
}

/// Doubles, wherever they lie, as floats.
func narrow(_ bytes: UnsafeRawBufferPointer, to out: UnsafeMutableBufferPointer<Float>) {
  for index in out.indices { out[index] = Float(bytes.loadUnaligned(fromByteOffset: 8 * index, as: Double.self)) }
}

extension DType {
  init?(safeTensorsName name: String) {
    guard let found = DType.allCases.first(where: { $0.safeTensorsName == name }) else { return nil }
    self = found
  }

  var safeTensorsName: String {
    switch self {
    case .float32: "F32"
    case .bfloat16: "BF16"
    case .float16: "F16"
    case .int64: "I64"
    case .int32: "I32"
    case .uint8: "U8"
    case .bool: "BOOL"
    }
  }
}
