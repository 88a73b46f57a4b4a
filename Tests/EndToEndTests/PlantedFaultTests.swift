import Foundation
import Testing

/// Faults planted in the sample data, real files, are found by the commands that look for them.
@Suite struct `planted faults` {
  static let faulty: URL = {
    let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-faults-\(getpid())/faulty")
    let made = try? Program.run([
      "sample", folder.path, "--clips", "36", "--seed", "5", "--plant", "leading-silence", "--plant", "identity-leak",
    ])
    precondition(made?.status == 0, "the sample could not be made: \(made?.errors ?? "")")
    return folder
  }()

  private struct Audit: Decodable {
    struct Probe: Decodable {
      let name: String
      let auc: Double?
      let lower, upper: Double?
    }
    let probes: [Probe]
    let warnings: [String]
    func probe(_ name: String) throws -> Probe { try #require(probes.first { $0.name == name }) }
  }

  private func audit(_ folder: URL) throws -> Audit {
    let outcome = try Program.run(["datasets", "audit", folder.path, "--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try JSONDecoder().decode(Audit.self, from: Data(outcome.output.utf8))
  }

  @Test func `the audit finds silence that only fakes begin with, and nothing of it in the plain sample`() throws {
    let found = try audit(Self.faulty)
    let silence = try found.probe("leading silence")
    #expect(try #require(silence.auc) > 0.95 && #require(silence.lower) > 0.6)
    #expect(
      found.warnings.contains { $0.hasPrefix("leading silence alone reaches AUC") && $0.contains("larger in fakes") })
    let plain = try audit(mistakes.sample)
    #expect(!plain.warnings.contains { $0.hasPrefix("leading silence") })
  }

  @Test func `the fold report finds people on both sides`() throws {
    let leaky = try Program.run(["datasets", "folds", Self.faulty.path, "--protocol", "official"])
    #expect(
      leaky.status == 1 && leaky.output.contains("LEAK: ") && leaky.output.contains("an identity lies in several parts")
    )
    #expect(leaky.output.contains("test samples of fold 0 share"))
    let clean = try Program.run(["datasets", "folds", mistakes.sample.path, "--count", "3"])
    #expect(clean.status == 0 && clean.output.contains("no group, identity, source or content lies in two parts"))
  }

  @Test func `exported folds come back, and an unequal subset says how unequal it is`() throws {
    let scratch = try Scratch()
    let file = scratch.url.appending(path: "folds.csv").path
    let made = try Program.run([
      "datasets", "folds", mistakes.sample.path, "--count", "3", "--no-hash", "--output", file,
    ])
    #expect(made.status == 0, "\(made.errors)")
    let again = scratch.url.appending(path: "again.csv").path
    let back = try Program.run([
      "datasets", "folds", mistakes.sample.path, "--protocol", "given", "--folds", file, "--no-hash", "--output", again,
    ])
    #expect(back.status == 0, "\(back.errors)")
    let texts = try [file, again].map { path in
      // Groups are the settings' own, so the parts are what must be equal.
      try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
        $0.split(separator: ",").suffix(4)
      }
    }
    #expect(texts[0] == texts[1])
    let unequal = Self.faulty.appending(path: "unequal.csv").path
    let subset = try Program.run([
      "datasets", "subset", Self.faulty.path, "--modality", "audio", "--real", "2", "--fake", "12", "--output", unequal,
    ])
    #expect(subset.status == 0 && subset.output.contains("Audio: real 2, fake 12 (6.0:1) SEVERE"), "\(subset.errors)")
    let elsewhere = try Program.run(["datasets", "subset", Self.faulty.path, "--real", "2", "--output", file])
    #expect(elsewhere.status == 2 && elsewhere.errors.contains("write the manifest there"))
  }
}
