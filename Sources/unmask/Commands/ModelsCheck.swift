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
      code is not 0 if a case is out of tolerance.

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
      for report in try CaseChecker.check(URL(filePath: path)) {
        reports.append(report)
        if !json { print(report.line) }
      }
    }
    if json { print(try prettyJSON(reports)) }
    let wrong = reports.filter { !$0.passed }.count
    guard wrong == 0 else {
      FileHandle.standardError.write(Data("\(wrong) of \(reports.count) cases are out of tolerance\n".utf8))
      throw ExitCode.failure
    }
  }
}
