import ArgumentParser
import Cluster
import Foundation

/// Looks for trouble before a run does.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check this machine: versions, limits, clock, disk, network, keys, ports, the way to a coordinator.",
    discussion: """
      Ends with 1 if a run would fail here.

      EXAMPLE
        unmask doctor --listen tcp://0.0.0.0:5555
        unmask doctor --coordinator tcp://10.0.0.5:5555
      """)

  @Option(help: "A coordinator to talk to, e.g. tcp://HOST:5555.")
  var coordinator: String?

  @Option(help: "An address to listen at, e.g. tcp://0.0.0.0:5555.")
  var listen: String?

  @Option(help: "The folder that a run would be written to.")
  var output = "runs"

  @OptionGroup var access: AccessOptions

  @Flag(help: "Print one JSON array.")
  var json = false

  func run() throws {
    let doctor = Doctor(
      coordinator: coordinator, listen: listen, output: URL(filePath: output).standardizedFileURL, key: access.key,
      isInsecure: access.insecure)
    let findings = doctor.findings()
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      print(String(decoding: try encoder.encode(findings), as: UTF8.self))
    } else {
      for finding in findings {
        let mark = finding.level == .good ? "ok    " : finding.level == .odd ? "odd   " : "WRONG "
        print("\(mark)\(finding.subject): \(finding.sentence)")
      }
    }
    if findings.contains(where: { $0.level == .wrong }) { throw ExitCode(1) }
  }
}
