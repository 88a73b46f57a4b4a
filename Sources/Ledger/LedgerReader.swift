public import Foundation
import GRDB
public import Wire

/// Reads a run's ledger, also while its coordinator writes it: for reports and for people.
public struct LedgerReader {
  /// A metric of one epoch of one job.
  public struct Metric: Sendable, Equatable {
    /// The job.
    public var job: String
    /// The epoch, from 0.
    public var epoch: Int
    /// The metric's name.
    public var name: String
    /// The number; nil where it was not finite.
    public var value: Double?
  }

  /// One attempt at a job.
  public struct Attempt: Sendable, Equatable {
    /// The job.
    public var job: String
    /// Its fencing token.
    public var token: UInt64
    /// Who had it.
    public var workers: String
    /// Seconds from start to end; nil while it runs.
    public var seconds: Double?
    /// "done", or why it ended.
    public var outcome: String?
  }

  private let database: DatabaseQueue
  private let path: String

  /// Opens the ledger of a run directory.
  ///
  /// - Throws: `LedgerError`.
  public init(directory: URL) throws {
    let path = directory.appendingPathComponent("run.sqlite").path
    guard FileManager.default.fileExists(atPath: path) else {
      throw LedgerError("\(directory.path) is no run directory: it has no run.sqlite")
    }
    self.path = path
    database = try Ledger.guarding(path) {
      var configuration = Configuration()
      configuration.readonly = true
      configuration.busyMode = .timeout(5)
      return try DatabaseQueue(path: path, configuration: configuration)
    }
  }

  /// All metrics, by job, epoch and name.
  public func metrics() throws -> [Metric] {
    try rows("SELECT * FROM metrics ORDER BY job, epoch, name") {
      Metric(job: $0["job"], epoch: $0["epoch"], name: $0["name"], value: $0["value"])
    }
  }

  /// All attempts, in the order in which they began.
  public func attempts() throws -> [Attempt] {
    try rows("SELECT * FROM attempts ORDER BY token") { row in
      let (start, end): (Double, Double?) = (row["started_at"], row["ended_at"])
      return Attempt(
        job: row["job"], token: UInt64(row["token"] as Int64), workers: row["workers"], seconds: end.map { $0 - start },
        outcome: row["outcome"])
    }
  }

  /// How many test files a finished run's models have scored since, by model.
  public func testPredictions() throws -> [String: Int] {
    let known = try rows("SELECT name FROM sqlite_master WHERE name = 'test_predictions'") { $0["name"] as String }
    guard !known.isEmpty else { return [:] }
    let counts = try rows("SELECT model, COUNT(*) AS n FROM test_predictions GROUP BY model") {
      ($0["model"] as String, $0["n"] as Int)
    }
    return Dictionary(uniqueKeysWithValues: counts)
  }

  /// What a member of an attempt used.
  public struct Use: Sendable, Equatable {
    /// The attempt's fencing token.
    public var token: UInt64
    /// What was used.
    public var use: SampleUse

    /// A use from its parts.
    public init(token: UInt64, use: SampleUse) { (self.token, self.use) = (token, use) }
  }

  /// What went into a job's model, attempt by attempt, in the order of steps.
  public func uses(of job: String) throws -> [Use] {
    try Ledger.guarding(path) {
      try database.read { database in
        try Row.fetchAll(
          database, sql: "SELECT * FROM uses WHERE job = ? ORDER BY token, epoch, first, rank", arguments: [job]
        ).map { row in
          Use(
            token: UInt64(row["token"] as Int64),
            use: SampleUse(
              epoch: row["epoch"], steps: (row["first"] as Int)..<(row["end"] as Int), count: row["count"],
              sum: UInt64(bitPattern: row["sum"] as Int64)))
        }
      }
    }
  }

  /// Jobs that are done, and those that were given up with the reason.
  public func jobs() throws -> [(id: String, isDone: Bool, why: String)] {
    try rows("SELECT * FROM jobs ORDER BY id") {
      (id: $0["id"], isDone: ($0["state"] as String) == "done", why: $0["why"])
    }
  }

  /// What was decided, line by line, with the wall clock's seconds.
  public func events() throws -> [(at: Double, line: String)] {
    try rows("SELECT * FROM events ORDER BY id") { (at: $0["at"], line: $0["line"]) }
  }

  private func rows<Value>(_ query: String, _ value: @escaping (Row) -> Value) throws -> [Value] {
    try Ledger.guarding(path) { try database.read { try Row.fetchAll($0, sql: query).map(value) } }
  }
}
