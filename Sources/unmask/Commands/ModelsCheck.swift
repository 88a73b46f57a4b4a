import ArgumentParser
import Foundation
import Models

/// Compares models with reference cases.
struct ModelsCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Run reference cases: outputs, gradients and buffers against another implementation's.",
    discussion: """
      A case is a folder with config.json, model.safetensors, meta.json and case files; a folder of cases stands for all of
      them; of a full-size case without stored weights, name its .json. Each line gives the worst relative errors. The exit
      code is not 0 if a case is out of tolerance or cannot be run.

      EXAMPLE
        unmask models check Tests/Fixtures/models --json
      """)

  @Argument(help: "Folders of cases.")
  var paths: [String]

  @Flag(help: "Print a JSON array.")
  var json = false

  func run() throws {
    var reports: [CaseReport] = []
    for path in paths {
      let found: [CaseReport]
      // One path that cannot be read takes no result from the others.
      do { found = try CaseChecker.check(URL(filePath: path)) } catch {
        found = [CaseReport(name: path, failure: "\(error)")]
      }
      for report in found {
        reports.append(report)
        if !json { print(report.line) }
      }
    }
    if json { print(try prettyJSON(reports)) }
    let wrong = reports.filter { !$0.passed }.count
    guard wrong == 0 else {
      FileHandle.standardError.write(Data("\(wrong) of \(reports.count) cases failed\n".utf8))
      throw ExitCode.failure
    }
  }
}
