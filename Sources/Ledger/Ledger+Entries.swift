import GRDB
public import Wire

// What is written down. Nothing is on the disk before `commit`.

extension Ledger {
  /// What the run's numerics are.
  public func adopt(fingerprint: String) {
    write { database, _ in try database.run("UPDATE run SET fingerprint = ?", [fingerprint]) }
  }

  /// An attempt begins.
  public func beginAttempt(job: String, token: UInt64, members: [UInt64], names: [String]) {
    write { database, now in
      try database.run(
        "INSERT INTO attempts (token, job, members, workers, started_at) VALUES (?, ?, ?, ?, ?)",
        [
          Int64(token), job, members.map { String($0, radix: 16) }.joined(separator: ","),
          names.joined(separator: ", "), now,
        ])
    }
  }

  /// Others do an attempt now.
  public func changeAttempt(token: UInt64, members: [UInt64], names: [String]) {
    write { database, _ in
      try database.run(
        "UPDATE attempts SET members = ?, workers = ? WHERE token = ?",
        [
          members.map { String($0, radix: 16) }.joined(separator: ","), names.joined(separator: ", "), Int64(token),
        ])
    }
  }

  /// An attempt has ended without a result; what it uploaded is void.
  public func endAttempt(token: UInt64, reason: String) {
    write { database, now in
      try database.run(
        "UPDATE attempts SET ended_at = ?, outcome = ? WHERE token = ? AND ended_at IS NULL",
        [now, reason, Int64(token)])
      try database.run("DELETE FROM staged WHERE token = ?", [Int64(token)])
    }
  }

  /// An output was uploaded and waits for its job to be done.
  public func stage(_ artifact: ArtifactReference, token: UInt64) {
    write { database, _ in
      try database.run(
        "INSERT OR REPLACE INTO staged (token, name, sha256, size) VALUES (?, ?, ?, ?)",
        [Int64(token), artifact.name, artifact.sha256, artifact.size])
    }
  }

  /// A job is done, with its outputs: all or nothing. Its checkpoint is not needed any more.
  public func finish(job: String, token: UInt64, outputs: [ArtifactReference]) {
    write { database, now in
      try database.run(
        "INSERT OR REPLACE INTO jobs (id, state, token, finished_at, why) VALUES (?, 'done', ?, ?, '')",
        [job, Int64(token), now])
      try database.run(
        "UPDATE attempts SET ended_at = ?, outcome = 'done' WHERE token = ?", [now, Int64(token)])
      for artifact in outputs {
        try database.run(
          "INSERT OR REPLACE INTO artifacts (name, sha256, size, job) VALUES (?, ?, ?, ?)",
          [artifact.name, artifact.sha256, artifact.size, job])
      }
      try database.run("DELETE FROM staged WHERE token = ?", [Int64(token)])
      try database.run("DELETE FROM checkpoints WHERE job = ?", [job])
    }
  }

  /// A job was given up.
  public func giveUp(job: String, sentence: String) {
    write { database, now in
      try database.run(
        "INSERT OR REPLACE INTO jobs (id, state, token, finished_at, why) VALUES (?, 'failed', 0, ?, ?)",
        [job, now, sentence])
    }
  }

  /// A job must be done again, because its outputs are not there any more.
  public func reopen(job: String) {
    write { database, _ in
      try database.run("DELETE FROM jobs WHERE id = ?", [job])
      try database.run("DELETE FROM artifacts WHERE job = ?", [job])
    }
  }

  /// A job's latest checkpoint; `artifact.name` is the file's path in the run directory.
  public func keepCheckpoint(_ artifact: ArtifactReference, job: String, token: UInt64, at progress: JobProgress) {
    write { database, now in
      try database.run(
        """
        INSERT OR REPLACE INTO checkpoints (job, token, name, sha256, size, epoch, step, saved_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
          job, Int64(token), artifact.name, artifact.sha256, artifact.size, progress.epoch, progress.step, now,
        ])
    }
  }

  /// A checkpoint's file is not there any more.
  public func dropCheckpoint(job: String) {
    write { database, _ in try database.run("DELETE FROM checkpoints WHERE job = ?", [job]) }
  }

  /// The content of shared files.
  public func keepShared(_ artifacts: [ArtifactReference]) {
    write { database, _ in
      for artifact in artifacts {
        try database.run(
          "INSERT OR REPLACE INTO artifacts (name, sha256, size, job) VALUES (?, ?, ?, NULL)",
          [artifact.name, artifact.sha256, artifact.size])
      }
    }
  }

  /// Metrics of an epoch; a repeated epoch replaces its values. Not urgent.
  public func record(job: String, epoch: Int, metrics: [(name: String, value: Double)]) {
    let now = Self.now
    add(isUrgent: false) { database in
      for metric in metrics {
        try database.run(
          "INSERT OR REPLACE INTO metrics (job, epoch, name, value, at) VALUES (?, ?, ?, ?, ?)",
          [job, epoch, metric.name, metric.value.isFinite ? metric.value : nil, now])
      }
    }
  }

  /// What went into a model of an attempt, as each of its members knows; said again it changes nothing. Not urgent.
  public func record(_ use: SampleUse, job: String, token: UInt64) {
    add(isUrgent: false) { database in
      try database.run(
        """
        INSERT OR REPLACE INTO uses (job, token, rank, epoch, first, end, count, sum) VALUES (?, ?, 0, ?, ?, ?, ?, ?)
        """,
        [
          job, Int64(token), use.epoch, use.steps.lowerBound, use.steps.upperBound, use.count,
          Int64(bitPattern: use.sum),
        ])
    }
  }

  /// What was decided. Not urgent.
  public func note(_ line: String) {
    let now = Self.now
    add(isUrgent: false) { try $0.run("INSERT INTO events (at, line) VALUES (?, ?)", [now, line]) }
  }

  private func write(_ entry: @escaping (Database, _ now: Double) throws -> Void) {
    let now = Self.now
    add(isUrgent: true) { try entry($0, now) }
  }
}

extension Database {
  /// Executes a statement that is prepared once a connection.
  fileprivate func run(_ sql: String, _ arguments: StatementArguments) throws {
    try cachedStatement(sql: sql).execute(arguments: arguments)
  }
}
