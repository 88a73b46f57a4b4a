import Foundation
import Testing
import Wire

@testable import Ledger

@Suite struct `the ledger` {
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
    "unmask-ledger-\(UInt64.random(in: 0...UInt64.max))")

  func open(_ experiment: String = "e") throws -> Ledger {
    try Ledger(directory: directory, run: "r", experiment: experiment, version: "1")
  }

  func artifact(_ name: String) -> ArtifactReference { ArtifactReference(name: name, sha256: "00", size: 3) }

  @Test func `remembers what was done, and what was open`() throws {
    var ledger = try open()
    ledger.beginAttempt(job: "a", token: 1, members: [.max], names: ["w"])
    ledger.stage(artifact("x"), token: 1)
    ledger.keepCheckpoint(artifact("c"), job: "a", token: 1, at: JobProgress(phase: "p", epoch: 2))
    ledger.beginAttempt(job: "b", token: 2, members: [0, 5], names: ["coordinator", "v"])
    ledger.keepCheckpoint(artifact("d"), job: "b", token: 2, at: JobProgress(phase: "p"))
    ledger.stage(artifact("y"), token: 2)
    ledger.adopt(fingerprint: "f")
    ledger.record(job: "a", epoch: 0, metrics: [("loss", 0.5), ("auc", .nan)])
    ledger.record(job: "a", epoch: 0, metrics: [("loss", 0.25)])
    ledger.finish(job: "a", token: 1, outputs: [artifact("x")])
    #expect(ledger.isUrgent)
    try ledger.commit()
    ledger.note("after the last transaction")  // is lost with the process, as nobody was told
    #expect(!ledger.isUrgent)
    ledger.close()
    ledger = try open()
    #expect(ledger.starts == 2)
    let contents = try ledger.contents()
    #expect(contents.done.keys.sorted() == ["a"] && contents.done["a"]?.outputs == [artifact("x")])
    #expect(contents.checkpoints == ["b": artifact("d")] && contents.staged == [2: [artifact("y")]])
    #expect(contents.open.map(\.token) == [2] && contents.open[0].members == [0, 5])
    #expect(contents.lastToken == 2 && contents.attempts == ["a": 1, "b": 1] && contents.fingerprint == "f")
    let reader = try LedgerReader(directory: directory)
    #expect(try reader.metrics().map(\.value) == [nil, 0.25])  // an epoch that is repeated replaces its values
    ledger.endAttempt(token: 2, reason: "gone")
    ledger.reopen(job: "a")
    #expect(try ledger.contents().done.count == 1)
    try ledger.commit()
    let later = try ledger.contents()
    #expect(later.done.isEmpty && later.open.isEmpty && later.staged.isEmpty)
    #expect(try reader.attempts().map(\.outcome) == ["done", "gone"])
  }

  @Test func `belongs to one coordinator and one experiment`() throws {
    let ledger = try open()
    let inUse = #expect(throws: LedgerError.self) { try open() }
    #expect(inUse?.description.contains("is in use by another coordinator") == true)
    ledger.close()
    let other = #expect(throws: LedgerError.self) { try open("other") }
    #expect(other?.description.contains("holds a run of another experiment") == true)
  }

  @Test func `says so when it is damaged`() throws {
    try open().close()
    for name in ["run.sqlite-wal", "run.sqlite-shm"] {
      try? FileManager.default.removeItem(at: directory.appendingPathComponent(name))
    }
    let file = directory.appendingPathComponent("run.sqlite")
    try Data(repeating: 7, count: 5_000).write(to: file)
    let error = #expect(throws: LedgerError.self) { try open() }
    #expect(error?.description.contains("is damaged") == true, "\(error!)")
    #expect(throws: LedgerError.self) { try LedgerReader(directory: directory.appendingPathComponent("none")) }
  }

  @Test func `survives a torn end of its log`() throws {
    let ledger = try open()
    ledger.giveUp(job: "a", sentence: "s")
    try ledger.commit()
    // What a killed process leaves: the files as they are, the log's last page cut.
    let copy = directory.appendingPathComponent("copy")
    try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
    for name in ["run.sqlite", "run.sqlite-wal"] {
      try FileManager.default.copyItem(
        at: directory.appendingPathComponent(name), to: copy.appendingPathComponent(name))
    }
    ledger.giveUp(job: "b", sentence: "s")
    try ledger.commit()
    let wal = copy.appendingPathComponent("run.sqlite-wal")
    var bytes = try Data(contentsOf: wal)
    bytes.append(
      try Data(contentsOf: directory.appendingPathComponent("run.sqlite-wal")).dropFirst(bytes.count).dropLast(9))
    try bytes.write(to: wal)
    let torn = try Ledger(directory: copy, run: "r", experiment: "e", version: "1")
    torn.close()
    #expect(try LedgerReader(directory: copy).jobs().map(\.id) == ["a"])
  }

  @Test func `counts looks at test files after the run, also while it is open`() throws {
    let ledger = try open()
    #expect(try LedgerReader(directory: directory).testPredictions().isEmpty)
    try Ledger.noteTestPrediction(directory: directory, models: ["a", "b"], fold: 1, file: "x.wav")
    try ledger.commit()
    ledger.close()
    try Ledger.noteTestPrediction(directory: directory, models: ["a"], fold: 1, file: "x.wav")
    #expect(try LedgerReader(directory: directory).testPredictions() == ["a": 2, "b": 1])
    #expect(throws: LedgerError.self) {
      try Ledger.noteTestPrediction(
        directory: directory.appendingPathComponent("none"), models: ["a"], fold: 0, file: "x")
    }
  }
}
