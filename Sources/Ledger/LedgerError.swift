import GRDB

/// What went wrong with the ledger: one sentence that says what, where, and what to do.
public struct LedgerError: Error, Sendable, CustomStringConvertible {
  /// The sentence.
  public let description: String

  init(_ sentence: String) { description = sentence }

  init(_ error: DatabaseError, _ path: String) {
    switch error.resultCode {
    case .SQLITE_FULL:
      description = "\(path): the disk is full; free some space and run the same command again, it goes on from here"
    case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
      description =
        "\(path) cannot be written (\(error.message ?? "input or output error")); check the disk and the permissions, "
        + "then run the same command again"
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      description = "\(path) is damaged; restore it from a copy, or choose another output folder and start the run anew"
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      description = "\(path) is held by another program; close it and run the same command again"
    default:
      description = "\(path): \(error.message ?? "the ledger failed"); run the same command again"
    }
  }
}
