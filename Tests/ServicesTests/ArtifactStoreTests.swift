import Files
import Foundation
import Testing
import Wire

@testable import Services

@Suite struct `artifact store` {
  @Test func `final names given a second time, after a restart, leave nothing else behind`() throws {
    let run = FileManager.default.temporaryDirectory.appending(path: "unmask-store-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: run) }
    let store = try ArtifactStore(directory: run, limit: 1 << 20)
    let artifact = ArtifactReference(name: "Models/voice/fold-0.safetensors", sha256: sha256("weights"), size: 7)
    try writeAtomically("weights", to: store.stagedFile(artifact, token: 3))
    try store.finalize([artifact], token: 3)
    try store.finalize([artifact], token: 3)
    let folder = run.appending(path: "Models/voice")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["fold-0.safetensors"])
    #expect(store.isIntact(artifact))
  }
}
