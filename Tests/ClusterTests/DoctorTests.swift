import Foundation
import Testing

@testable import Cluster

@Suite struct doctor {
  @Test func `says how much room there is`() throws {
    let folder = FileManager.default.temporaryDirectory
    let output = folder.appending(path: "run")
    let doctor = Doctor(coordinator: nil, listen: nil, output: output, key: nil, isInsecure: true)
    let finding = try #require(doctor.findings().first { $0.subject == "run folder" })
    let said = try #require(finding.sentence.split(separator: " ").compactMap { Double($0) }.first)
    // Another source for the same number; other processes write meanwhile, and root's reserve counts only there.
    let free = try FileManager.default.attributesOfFileSystem(forPath: folder.path)[.systemFreeSize] as? Int
    let mebibytes = Double(try #require(free) >> 20)
    #expect(said > 0.05 * mebibytes && said < 1.1 * mebibytes, "\(finding.sentence), but \(mebibytes)")
    #expect((finding.level == .wrong) == (said < 64))
  }
}
