import Foundation

/// The built `unmask` program, run as real processes.
enum Program {
  /// It lies beside the test bundle, in the folder of the build.
  static let url: URL = {
    let bundle = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    let beside = bundle.deletingLastPathComponent().appending(path: "unmask")
    precondition(
      FileManager.default.isExecutableFile(atPath: beside.path),
      "the program is not beside the tests at \(beside.path); build it with the same flags")
    return beside
  }()

  /// What a finished process left.
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String
  }

  /// Runs to the end.
  static func run(_ arguments: [String], in folder: URL? = nil) throws -> Outcome {
    let scratch = FileManager.default.temporaryDirectory.appending(path: "unmask-output-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: scratch) }
    let process = try start(
      arguments, in: folder, output: scratch.appending(path: "out"), errors: scratch.appending(path: "err"))
    process.waitUntilExit()
    return Outcome(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: try String(contentsOf: scratch.appending(path: "out"), encoding: .utf8),
      errors: try String(contentsOf: scratch.appending(path: "err"), encoding: .utf8))
  }

  /// Starts and returns at once.
  static func start(_ arguments: [String], in folder: URL? = nil, output: URL, errors: URL) throws -> Process {
    for file in [output, errors] where !FileManager.default.fileExists(atPath: file.path) {
      _ = FileManager.default.createFile(atPath: file.path, contents: nil)
    }
    let process = Process()
    process.executableURL = url
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    if let folder { process.currentDirectoryURL = folder }
    try process.run()
    return process
  }
}

/// A temporary folder that goes with its value.
final class Scratch {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "unmask-end-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func write(_ text: String, to name: String) throws -> URL {
    let file = url.appending(path: name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try text.write(to: file, atomically: true, encoding: .utf8)
    return file
  }
}
