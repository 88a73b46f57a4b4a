import Autograd
import Foundation
import NN
import SafeTensors
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

  @Test func `that cannot be run say why, and others still run`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-cases-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let fixtures = Fixtures.own.appending(path: "models")
    for name in ["lstm", "convnext"] {
      try FileManager.default.copyItem(at: fixtures.appending(path: name), to: folder.appending(path: name))
    }
    try Data("{".utf8).write(to: folder.appending(path: "convnext/config.json"))
    let reports = try CaseChecker.check(folder)
    #expect(reports.filter { !$0.passed }.map(\.name) == ["convnext/case.safetensors"])
    #expect(reports.first?.line.contains("is not a JSON object") == true)
    #expect(reports.filter(\.passed).count == reports.count - 1 && reports.count > 1)
    #expect(throws: ModelError.self) { try CaseChecker.check(folder.appending(path: "nothing")) }
  }

  @Test func `notice a wrong weight`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-cases-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.copyItem(at: Fixtures.own.appending(path: "models/lstm"), to: folder)
    let file = folder.appending(path: "model.safetensors")
    var tensors = try SafeTensorsFile(Fixtures.own.appending(path: "models/lstm/model.safetensors")).tensors()
    tensors["bias_hh_l1"] = tensors["bias_hh_l1"]!.affine(1.001, 0)
    try FileManager.default.removeItem(at: file)
    try writeSafeTensors(tensors, to: file)
    #expect(try CaseChecker.check(folder).allSatisfy { !$0.passed })
  }
}
