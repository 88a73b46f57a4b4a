import CCrypto
public import Foundation

/// The SHA-256 of bytes that arrive piece by piece, as 64 lower-case hexadecimal digits. OpenSSL computes it: its code
/// uses the processor's SHA instructions.
public struct SHA256: ~Copyable {
  private let context: OpaquePointer

  /// Starts with no bytes.
  public init() {
    context = EVP_MD_CTX_new()
    let started = EVP_DigestInit_ex(context, EVP_sha256(), nil)
    precondition(started == 1, "SHA256: OpenSSL offers no SHA-256")
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Adds bytes.
  public mutating func update(_ buffer: UnsafeRawBufferPointer) {
    let added = EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
    precondition(added == 1, "SHA256: update failed")
  }

  /// The digest of all bytes added.
  public consuming func digest() -> String {
    let bytes = [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
      var length: UInt32 = 0
      let done = EVP_DigestFinal_ex(context, buffer.baseAddress, &length)
      precondition(done == 1 && length == 32, "SHA256: no digest")
      count = 32
    }
    return hexadecimal(bytes)
  }
}

/// Lower-case hexadecimal digits, two a byte.
public func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}

/// The SHA-256 of bytes in memory.
public func sha256(_ bytes: [UInt8]) -> String {
  var hash = SHA256()
  bytes.withUnsafeBytes { hash.update($0) }
  return hash.digest()
}

/// The SHA-256 of a text's UTF-8.
public func sha256(_ text: String) -> String { sha256(Array(text.utf8)) }

/// The SHA-256 of a file's content, read in pieces.
///
/// - Throws: `FileProblem`.
public func sha256(of url: URL) throws -> String {
  let path = url.path
  let handle = try call("opening", path) { open(path, O_RDONLY | O_CLOEXEC) }
  defer { close(handle) }
  var hash = SHA256()
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
  defer { buffer.deallocate() }
  while true {
    let count = try call("reading", path) { read(handle, buffer.baseAddress, buffer.count) }
    if count == 0 { return hash.digest() }
    hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
  }
}
