// A fuzzer of the reader of weight files. Scripts/fuzz compiles it with libFuzzer's coverage feedback, the reader as its
// own module; it is no target of the package.
import Foundation
import SafeTensors

// In memory where that can be, as every input is a file.
private let folder = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
private let file = URL(filePath: "\(folder)/unmask-fuzz-\(getpid()).safetensors")

/// libFuzzer's entry point: a whole file.
@_cdecl("LLVMFuzzerTestOneInput")
public func readOne(_ pointer: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  // In its place, so that a million inputs need no million files; the reader has let go of the one before.
  let handle = open(file.path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  guard handle >= 0, write(handle, pointer, size) == size else { fatalError("no temporary file") }
  close(handle)
  guard let weights = try? SafeTensorsFile(file) else { return 0 }
  var bytes = 0
  for name in weights.names {
    guard let shape = weights.shape(of: name) else { fatalError("\(name) has no shape") }
    guard let tensor = try? weights.tensor(name) else { continue }
    guard tensor.shape == shape else { fatalError("\(name) changed its shape") }
    bytes += tensor.count * tensor.dtype.size
  }
  guard bytes <= size else { fatalError("\(bytes) bytes of tensors in a file of \(size)") }
  return 0
}
