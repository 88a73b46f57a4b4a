import Files
import Foundation

/// The version that coordinator and workers must share.
public let programVersion = "0.1.0"

/// What the report says about the program that made it.
enum ProgramFacts {
  /// Versions by name.
  static var versions: [(name: String, value: String)] {
    [("unmask", programVersion), ("system", systemName), ("Swift", swiftVersion)]
  }

  /// The SHA-256 of the running program.
  static let programHash = (try? sha256(of: URL(filePath: "/proc/self/exe"))) ?? "unknown"

  private static var systemName: String {
    let text = (try? String(contentsOf: URL(filePath: "/etc/os-release"), encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("PRETTY_NAME=") }
    return line.map { $0.dropFirst(12).trimmingCharacters(in: CharacterSet(charactersIn: "\"")) } ?? "Linux"
  }

  private static var swiftVersion: String {
    #if compiler(>=6.3)
      "6.3"
    #elseif compiler(>=6.2)
      "6.2"
    #else
      "6.1"
    #endif
  }
}
