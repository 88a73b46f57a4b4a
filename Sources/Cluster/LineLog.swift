import Foundation
import Glibc
public import Logging

/// Writes log events to standard error, one line each: time, message, `key=value`.
public struct LineLog: LogHandler {
  /// What every line of this logger carries.
  public var metadata: Logger.Metadata = [:]
  /// The least level that is written.
  public var logLevel = Logger.Level.info

  /// Makes a handler; `label` is not shown.
  public init(label: String) {}

  /// One key of `metadata`.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes one line.
  public func log(event: LogEvent) {
    let now = Date.now.formatted(.iso8601.time(includingFractionalSeconds: false).timeZone(separator: .omitted))
    let level = event.level >= .warning ? "\(event.level.rawValue) " : ""
    let pairs = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    let text = pairs.map { " \($0.key)=\($0.value)" }.joined()
    // Not FileHandle, which ends the process when the terminal is gone: the work must still be handed over.
    var line = "\(now) \(level)\(event.message)\(text)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
