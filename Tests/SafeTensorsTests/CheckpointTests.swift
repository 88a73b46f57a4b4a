import Foundation
import Tensor
import TestSupport
import Testing

@testable import SafeTensors

/// Files of `torch.save`: those of `Scripts/parity/torch_checkpoints.py`, and damaged ones.
@Suite struct `PyTorch checkpoints` {
  static let fixtures = Fixtures.own.appending(path: "checkpoints")
  static let readable = ["types.2", "types.4", "types.5", "views.2", "views.64", "module_state.2", "wrapped.2"]
  static let refused: [String: String] = {
    guard let data = try? Data(contentsOf: fixtures.appending(path: "refused.json")) else { return [:] }
    return (try? JSONDecoder().decode([String: String].self, from: data)) ?? [:]
  }()

  @Test(arguments: readable) func `give the tensors that were saved`(name: String) throws {
    let read = try TorchCheckpoint(Self.fixtures.appending(path: "\(name).pth"))
    let stem = name.split(separator: ".")[0]
    let expected = try SafeTensorsFile(Self.fixtures.appending(path: "\(stem).safetensors"))
    #expect(Set(read.tensors.keys) == Set(expected.names))
    for key in expected.names {
      let (ours, theirs) = (try #require(read.tensors[key]), try expected.tensor(key))
      #expect(ours.dtype == theirs.dtype && ours.shape == theirs.shape, "\(key)")
      #expect(ours.contiguous().withBytes(Array.init) == theirs.withBytes(Array.init), "\(key)")
    }
    #expect(read.ignored == (stem == "wrapped" ? ["epoch", "optimizer", "args"] : []))
  }

  @Test func `are refused for all that is not a dictionary of tensors`() throws {
    #expect(Self.refused.count > 40)
    for (name, reason) in Self.refused.sorted(by: { $0.key < $1.key }) {
      do {
        _ = try TorchCheckpoint(Self.fixtures.appending(path: name))
        Issue.record("\(name) was read")
      } catch let error as WeightFileError {
        #expect(error.reason.contains(reason) || reason == "Git LFS", "\(name): \(error)")
      }
    }
    #expect(!FileManager.default.fileExists(atPath: "/tmp/never"))
  }

  @Test func `are an error or read within bounds when damaged`() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).pth")
    defer { try? FileManager.default.removeItem(at: file) }
    var random = RandomStream(seed: 4)
    for name in ["types.4", "views.64"] {
      let bytes = [UInt8](try Data(contentsOf: Self.fixtures.appending(path: "\(name).pth")))
      for round in 0..<300 {
        var changed = bytes
        if round % 3 == 0 {
          changed.removeLast(1 + random.below(changed.count - 1))
        } else {
          for _ in 0...random.below(4) { changed[random.below(changed.count)] = UInt8(random.below(256)) }
        }
        try Data(changed).write(to: file)
        guard let read = try? TorchCheckpoint(file) else { continue }
        for tensor in read.tensors.values {
          #expect(tensor.count * tensor.dtype.size <= bytes.count)
          _ = tensor.contiguous().withBytes { $0.reduce(0) { $0 &+ Int($1) } }
        }
      }
    }
  }

  // Without the checksums in the way, damage reaches the pickle itself.
  @Test func `are an error or read within bounds when only the pickle is damaged`() throws {
    let archive = try ZipArchive(Self.fixtures.appending(path: "types.4.pth"))
    let name = try #require(archive.names.first { $0.hasSuffix("data.pkl") })
    let bytes = Array(try #require(try archive.bytes(name)))
    var random = RandomStream(seed: 6)
    for _ in 0..<3000 {
      var changed = bytes
      for _ in 0...random.below(3) { changed[random.below(changed.count)] = UInt8(random.below(256)) }
      guard let pickle = try? changed.withUnsafeBytes({ try Pickle($0) }) else { continue }
      for view in pickle.tensors {
        let last = zip(view.shape, view.strides).reduce(view.offset) { $0 + max(0, $1.0 - 1) * $1.1 }
        #expect(view.shape.contains(0) || last < view.storageCount)
      }
    }
  }

  @Test func `checksums are those of zip archives`() {
    #expect(Array("123456789".utf8).withUnsafeBytes { crc32($0) } == 0xCBF4_3926)
    #expect([UInt8](repeating: 0xFF, count: 32).withUnsafeBytes { crc32($0) } == 0xFF6C_AB0B)
  }
}

@Suite struct `folders of weights` {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "weights-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func write(_ text: String, _ name: String) throws {
    try Data(text.utf8).write(to: folder.appending(path: name))
  }

  private func index(_ map: String) throws {
    try write("{\"metadata\": {\"total_size\": 8}, \"weight_map\": \(map)}", "model.safetensors.index.json")
  }

  @Test func `are read from one file, from shards, and from PyTorch's file`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let (a, b) = (testValues([2, 3]), testValues([4]))
    try writeSafeTensors(["a": a], to: folder.appending(path: "one.safetensors"))
    try writeSafeTensors(["b": b.converted(to: .bfloat16)], to: folder.appending(path: "two.safetensors"))
    try index(#"{"a": "one.safetensors", "b": "two.safetensors"}"#)
    let shards = try WeightFolder(folder)
    #expect(shards.files == ["model.safetensors.index.json", "one.safetensors", "two.safetensors"])
    #expect(shards.tensors["a"]?.floats() == a.floats() && shards.tensors["b"]?.dtype == .bfloat16)
    try writeSafeTensors(["c": a], to: folder.appending(path: "model.safetensors"))
    #expect(try WeightFolder(folder).tensors.keys.sorted() == ["c"])
    try FileManager.default.removeItem(at: folder.appending(path: "model.safetensors"))
    try FileManager.default.removeItem(at: folder.appending(path: "model.safetensors.index.json"))
    try FileManager.default.copyItem(
      at: `PyTorch checkpoints`.fixtures.appending(path: "views.2.pth"), to: folder.appending(path: "pytorch_model.bin")
    )
    #expect(try WeightFolder(folder).tensors.count == 5)
    #expect(throws: WeightFileError.self) { try WeightFolder(folder, allowsPickle: false) }
  }

  @Test func `are refused when the index leads elsewhere`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try writeSafeTensors(["a": testValues([2]), "b": testValues([2])], to: folder.appending(path: "one.safetensors"))
    let outside = folder.deletingLastPathComponent().appending(path: "\(folder.lastPathComponent)-outside.safetensors")
    try writeSafeTensors(["a": testValues([2])], to: outside)
    defer { try? FileManager.default.removeItem(at: outside) }
    let name = outside.lastPathComponent
    for map in [
      #"{"a": "../\#(name)"}"#, #"{"a": "\#(outside.path)"}"#, #"{"a": ".."}"#, #"{"a": ""}"#, #"{"a": "none"}"#,
      #"{"a": "one.safetensors"}"#, #"{"a": "one.safetensors", "c": "one.safetensors"}"#, "{}", "[]", #"{"a": 3}"#,
      #"{"a": "one.safetensors\u0000"}"#,
    ] {
      try index(map)
      #expect(throws: WeightFileError.self, "\(map)") { try WeightFolder(folder) }
    }
    for text in ["", "[", String(repeating: "[", count: 200_000), String(repeating: "{\"a\":", count: 200_000)] {
      try write(text, "model.safetensors.index.json")
      #expect(throws: WeightFileError.self) { try WeightFolder(folder) }
    }
    try write("version https://git-lfs.github.com/spec/v1\n", "model.safetensors")
    #expect(throws: WeightFileError.self) { try WeightFolder(folder) }
  }
}
