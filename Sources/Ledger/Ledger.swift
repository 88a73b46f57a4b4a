public import Foundation
import Files
import GRDB
import Glibc
public import Wire

/// What a run has got done, in `run.sqlite` of its directory: written before anybody is told, so that a coordinator that
/// is killed at any moment goes on from here.
///
/// One process at a time may write a run: the lock goes with the process, however it ends. What is written waits for
/// `commit`, which puts everything since the last one onto the disk in one transaction: all or nothing, in order. Who
/// tells somebody of an entry must have committed it first.
///
/// - Thread: used by the coordinator's service thread alone.
public final class Ledger {
  /// What earlier starts of the run left behind.
  public struct Contents: Sendable {
    /// An attempt whose end was not written.
    public struct OpenAttempt: Sendable {
      /// The job.
      public var job: String
      /// Its fencing token.
      public var token: UInt64
      /// The members' incarnations, by rank.
      public var members: [UInt64]
    }

    /// Jobs that are done: their last token and their outputs.
    public var done: [String: (token: UInt64, outputs: [ArtifactReference])] = [:]
    /// The latest checkpoint of each job that has one; its name is the file's, relative to the run directory.
    public var checkpoints: [String: ArtifactReference] = [:]
    /// Outputs that were uploaded for attempts which are not over.
    public var staged: [UInt64: [ArtifactReference]] = [:]
    /// Attempts that were open, by token.
    public var open: [OpenAttempt] = []
    /// How often each job was started.
    public var attempts: [String: Int] = [:]
    /// The highest token ever given.
    public var lastToken: UInt64 = 0
    /// The run's numerics, once a worker has shown them.
    public var fingerprint = ""
  }

  /// The file's path.
  public let path: String
  /// How often the run was started, this time included.
  public let starts: Int
  private let database: DatabasePool
  private let lock: Int32
  private var isClosed = false
  private var pending: [(Database) throws -> Void] = []
  /// Whether something was written that others may not be told before `commit`; metrics and events may wait.
  public private(set) var isUrgent = false

  /// Opens or makes the ledger of a run directory.
  ///
  /// - Throws: `LedgerError` if another coordinator has the run, if the directory belongs to another experiment, or if
  ///   the file cannot be used.
  public init(directory: URL, run: String, experiment: String, version: String) throws {
    try makeFolder(directory)
    let path = directory.appendingPathComponent("run.sqlite").path
    let lockPath = directory.appendingPathComponent("run.lock").path
    let lock = Glibc.open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard lock >= 0 else {
      throw LedgerError("\(lockPath) cannot be made: \(String(cString: strerror(errno))); check the permissions")
    }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      Glibc.close(lock)
      throw LedgerError(
        "\(directory.path) is in use by another coordinator; wait for it, stop it, or choose another output folder")
    }
    do {
      (database, starts) = try Self.guarding(path) {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        let database = try DatabasePool(path: path, configuration: configuration)
        try Self.migrator.migrate(database)
        let starts = try database.write { try Self.claim($0, directory.path, run, experiment, version) }
        return (database, starts)
      }
    } catch {
      Glibc.close(lock)
      throw error
    }
    self.path = path
    self.lock = lock
  }

  deinit { close() }

  /// Gives the run free for another coordinator; nothing may be written afterwards.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    try? database.close()
    Glibc.close(lock)
  }

  /// What earlier starts left behind.
  public func contents() throws -> Contents {
    try Self.guarding(path) {
      try database.read { database in
        var contents = Contents()
        for row in try Row.fetchAll(database, sql: "SELECT id, token FROM jobs WHERE state = 'done'") {
          contents.done[row["id"]] = (token: UInt64(row["token"] as Int64), outputs: [])
        }
        for row in try Row.fetchAll(database, sql: "SELECT * FROM artifacts WHERE job IS NOT NULL ORDER BY name") {
          contents.done[row["job"]]?.outputs.append(Self.reference(row))
        }
        for row in try Row.fetchAll(database, sql: "SELECT * FROM checkpoints") {
          contents.checkpoints[row["job"]] = Self.reference(row)
        }
        for row in try Row.fetchAll(database, sql: "SELECT * FROM staged ORDER BY name") {
          contents.staged[UInt64(row["token"] as Int64), default: []].append(Self.reference(row))
        }
        for row in try Row.fetchAll(database, sql: "SELECT * FROM attempts WHERE ended_at IS NULL ORDER BY token") {
          let members = (row["members"] as String).split(separator: ",").compactMap { UInt64($0, radix: 16) }
          contents.open.append(
            .init(job: row["job"], token: UInt64(row["token"] as Int64), members: members))
        }
        for row in try Row.fetchAll(database, sql: "SELECT job, COUNT(*) AS n FROM attempts GROUP BY job") {
          contents.attempts[row["job"]] = row["n"]
        }
        contents.lastToken = UInt64(try Int64.fetchOne(database, sql: "SELECT MAX(token) FROM attempts") ?? 0)
        contents.fingerprint = try String.fetchOne(database, sql: "SELECT fingerprint FROM run") ?? ""
        return contents
      }
    }
  }

  /// Puts everything that waits onto the disk.
  ///
  /// - Throws: `LedgerError`; what waits goes on waiting.
  /// - Cost: one transaction and one wait for the disk, however many entries.
  public func commit() throws {
    guard !pending.isEmpty else { return }
    try Self.guarding(path) {
      try database.write { database in
        for entry in pending { try entry(database) }
      }
    }
    pending.removeAll(keepingCapacity: true)
    isUrgent = false
  }

  func add(isUrgent: Bool, _ entry: @escaping (Database) throws -> Void) {
    pending.append(entry)
    if isUrgent { self.isUrgent = true }
  }

  // MARK: - Afterwards

  /// Writes that a finished run's models of a fold scored a file that the fold had as test, outside of the run's own score
  /// jobs. May be called while nobody or anybody has the run open.
  ///
  /// - Throws: `LedgerError` where the ledger cannot be written.
  public static func noteTestPrediction(directory: URL, models: [String], fold: Int, file: String) throws {
    let path = directory.appendingPathComponent("run.sqlite").path
    try guarding(path) {
      var configuration = Configuration()
      configuration.busyMode = .timeout(5)
      let database = try DatabaseQueue(path: path, configuration: configuration)
      try migrator.migrate(database)
      try database.write { database in
        for model in models {
          try database.execute(
            sql: "INSERT INTO test_predictions (at, model, fold, file) VALUES (?, ?, ?, ?)",
            arguments: [now, model, fold, file])
        }
      }
      try database.close()
    }
  }

  // MARK: - Schema

  private static func claim(
    _ database: Database, _ directory: String, _ run: String, _ experiment: String, _ version: String
  ) throws -> Int {
    if let row = try Row.fetchOne(database, sql: "SELECT * FROM run") {
      let known: String = row["experiment"]
      guard known == experiment else {
        throw LedgerError(
          "\(directory) holds a run of another experiment (\(row["name"] as String), \(known.prefix(12))), not of this "
            + "one (\(run), \(experiment.prefix(12))); choose another output folder, or restore the experiment")
      }
      try database.execute(sql: "UPDATE run SET starts = starts + 1, version = ?", arguments: [version])
      return (row["starts"] as Int) + 1
    }
    try database.execute(
      sql: "INSERT INTO run (id, name, experiment, version, starts, created_at) VALUES (1, ?, ?, ?, 1, ?)",
      arguments: [run, experiment, version, now])
    return 1
  }

  private static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1") { database in
      try database.execute(
        sql: """
          CREATE TABLE run (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, experiment TEXT NOT NULL,
            version TEXT NOT NULL, starts INTEGER NOT NULL, created_at REAL NOT NULL, fingerprint TEXT NOT NULL DEFAULT '');
          CREATE TABLE jobs (id TEXT PRIMARY KEY, state TEXT NOT NULL, token INTEGER NOT NULL, finished_at REAL NOT NULL,
            why TEXT NOT NULL);
          CREATE TABLE attempts (token INTEGER PRIMARY KEY, job TEXT NOT NULL, members TEXT NOT NULL,
            workers TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL, outcome TEXT);
          CREATE INDEX attempts_by_job ON attempts (job);
          CREATE TABLE artifacts (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, job TEXT);
          CREATE TABLE staged (token INTEGER NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
            PRIMARY KEY (token, name));
          CREATE TABLE checkpoints (job TEXT PRIMARY KEY, token INTEGER NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL,
            size INTEGER NOT NULL, epoch INTEGER NOT NULL, step INTEGER NOT NULL, saved_at REAL NOT NULL);
          CREATE TABLE metrics (job TEXT NOT NULL, epoch INTEGER NOT NULL, name TEXT NOT NULL, value REAL, at REAL NOT NULL,
            PRIMARY KEY (job, epoch, name));
          CREATE TABLE events (id INTEGER PRIMARY KEY, at REAL NOT NULL, line TEXT NOT NULL);
          """)
    }
    migrator.registerMigration("2") { database in
      try database.execute(
        sql: """
          CREATE TABLE test_predictions (id INTEGER PRIMARY KEY, at REAL NOT NULL, model TEXT NOT NULL, fold INTEGER NOT NULL,
            file TEXT NOT NULL);
          """)
    }
    migrator.registerMigration("3") { database in
      try database.execute(
        sql: """
          CREATE TABLE uses (job TEXT NOT NULL, token INTEGER NOT NULL, rank INTEGER NOT NULL, epoch INTEGER NOT NULL,
            first INTEGER NOT NULL, end INTEGER NOT NULL, count INTEGER NOT NULL, sum INTEGER NOT NULL,
            PRIMARY KEY (job, token, rank, epoch, first));
          """)
    }
    return migrator
  }

  private static func reference(_ row: Row) -> ArtifactReference {
    ArtifactReference(name: row["name"], sha256: row["sha256"], size: row["size"])
  }

  /// Wall-clock seconds: for people only, never for decisions.
  static var now: Double { Date().timeIntervalSince1970 }

  static func guarding<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as DatabaseError {
      throw LedgerError(error, path)
    }
  }
}
