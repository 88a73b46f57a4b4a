import Autograd
import Foundation
import NN
import Tensor
import TestSupport
import Testing

@testable import Models

/// Folders of a tree of reference cases, by name.
private func folders(_ tree: String) -> [String] {
  let names = try? FileManager.default.contentsOfDirectory(atPath: Fixtures.at(tree).path)
  return (names ?? []).sorted().filter {
    FileManager.default.fileExists(atPath: Fixtures.at("\(tree)/\($0)/meta.json").path)
  }
}

/// Full-size cases, which only the whole tree has.
private let fullSize: [String] = {
  let names = try? FileManager.default.contentsOfDirectory(atPath: Fixtures.at("full").path)
  return (names ?? []).filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(".safetensors".count)) }
    .sorted()
}()

@Suite(.serialized) struct `reference models` {
  @Test(arguments: folders("models"))
  func `have the reference's outputs, gradients and buffers`(name: String) throws {
    for report in try CaseChecker.check(Fixtures.at("models/\(name)")) {
      #expect(report.passed, "\(report.line)")
      #expect(report.worst["output"]!.count > 0 && report.worst["gradient"]!.count > 0)
    }
  }

  @Test(arguments: folders("layouts"))
  func `read checkpoints under published names`(name: String) throws {
    for report in try CaseChecker.check(Fixtures.at("layouts/\(name)")) {
      #expect(report.passed, "\(report.line)")
    }
  }

  @Test(.enabled(if: !fullSize.isEmpty), arguments: fullSize)
  func `have the reference's outputs at full size`(name: String) throws {
    for report in try CaseChecker.check(Fixtures.at("full/\(name).json")) {
      #expect(report.passed, "\(report.line)")
    }
  }
}
