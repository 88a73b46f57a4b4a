import Files
public import Foundation
public import Tensor

/// Writes a safetensors file, complete or not at all. The same tensors and notes give the same bytes: tensors lie in the
/// order of element size (largest first, so that all are aligned) and name, notes in the order of their keys.
///
/// - Throws: `FileProblem` if the file can't be written; a file that was there before is untouched then.
public func writeSafeTensors(_ tensors: [String: Tensor], metadata: [String: String] = [:], to url: URL) throws {
  let ordered = tensors.sorted { a, b in
    (-a.value.dtype.size, a.key) < (-b.value.dtype.size, b.key)
  }
  var fields: [String] = []
  if !metadata.isEmpty {
    let notes = metadata.sorted { $0.key < $1.key }.map { "\(json($0.key)):\(json($0.value))" }
    fields.append("\"__metadata__\":{\(notes.joined(separator: ","))}")
  }
  var end = 0
  for (name, tensor) in ordered {
    precondition(name != "__metadata__", "safetensors: no tensor may be called __metadata__")
    let begin = end
    end += tensor.count * tensor.dtype.size
    let shape = tensor.shape.map(String.init).joined(separator: ",")
    fields.append(
      "\(json(name)):{\"dtype\":\"\(tensor.dtype.safeTensorsName)\",\"shape\":[\(shape)],"
        + "\"data_offsets\":[\(begin),\(end)]}")
  }
  var header = Array("{\(fields.joined(separator: ","))}".utf8)
  // Spaces up to a multiple of 64 keep the mapped tensors aligned for vector loads.
  header += [UInt8](repeating: 0x20, count: (64 - (header.count + 8) % 64) % 64)

  var file = try AtomicFile(url)
  try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try file.write($0) }
  try header.withUnsafeBytes { try file.write($0) }
  for (_, tensor) in ordered { try tensor.contiguous().withBytes { try file.write($0) } }
  try file.commit()
}

private func json(_ text: String) -> String {
  var quoted = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": quoted += "\\\""
    case "\\": quoted += "\\\\"
    case "\n": quoted += "\\n"
    case "\t": quoted += "\\t"
    case _ where scalar.value < 0x20:
      let digits = String(scalar.value, radix: 16)
      quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: quoted.unicodeScalars.append(scalar)
    }
  }
  return quoted + "\""
}
