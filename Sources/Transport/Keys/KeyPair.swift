import CZeroMQ

/// A pair of CURVE keys, each 40 characters of Z85: the public one says who somebody is, the secret one proves it.
public struct KeyPair: Sendable, Equatable {
  /// The half that others may know.
  public let publicKey: String
  let secretKey: String

  init(publicKey: String, secretKey: String) { (self.publicKey, self.secretKey) = (publicKey, secretKey) }

  /// Draws a new pair.
  ///
  /// - Traps: if the installed ZeroMQ has no CURVE.
  public static func make() -> KeyPair {
    var open = [CChar](repeating: 0, count: 41)
    var secret = open
    let result = zmq_curve_keypair(&open, &secret)
    precondition(result == 0, "KeyPair: ZeroMQ was built without CURVE; install libzmq with libsodium")
    return KeyPair(publicKey: text(open), secretKey: text(secret))
  }

  /// Whether a text is a key: 40 characters of Z85.
  public static func isKey(_ text: String) -> Bool {
    guard text.utf8.count == 40 else { return false }
    var bytes = [UInt8](repeating: 0, count: 32)
    return zmq_z85_decode(&bytes, text) != nil
  }

  /// The text of a key's 32 bytes.
  static func text(ofKey bytes: [UInt8]) -> String? {
    guard bytes.count == 32 else { return nil }
    var characters = [CChar](repeating: 0, count: 41)
    guard zmq_z85_encode(&characters, bytes, 32) != nil else { return nil }
    return text(characters)
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
