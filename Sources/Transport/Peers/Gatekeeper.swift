/// Says for one listening socket who may connect to it.
protocol Gatekeeper: AnyObject, Sendable {
  /// What the socket calls itself when it asks; another one for each gatekeeper, since a process has one place to ask.
  var domain: String { get }
  /// The keys of the socket itself.
  var pair: KeyPair { get }
  /// Whether the holder of a key may connect.
  func verdict(on publicKey: String, from address: String) -> Verdict
}

/// What becomes of somebody who shows a key.
enum Verdict: String, Sendable {
  /// He may come in.
  case admitted = "200"
  /// Not yet: he is cut off without a word, and tries again.
  case tryAgain = "300"
  /// He may not, and hears so.
  case refused = "400"
}
