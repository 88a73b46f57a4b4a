import Foundation
import SafeTensors
import Tensor
import TestSupport
import Testing

@Suite struct `safetensors` {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "safetensors-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func file(header: String, data: Int = 0, stated: UInt64? = nil) throws -> URL {
    let url = folder.appending(path: "\(UUID().uuidString).safetensors")
    var bytes = Data()
    withUnsafeBytes(of: (stated ?? UInt64(header.utf8.count)).littleEndian) { bytes.append(contentsOf: $0) }
    bytes.append(Data(header.utf8))
    bytes.append(Data(count: data))
    try bytes.write(to: url)
    return url
  }

  @Test func `every type survives writing and reading`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let floats = testValues([3, 5])
    var tensors: [String: Tensor] = [
      "f32": floats, "bf16": floats.converted(to: .bfloat16), "f16": floats.converted(to: .float16),
      "i64": Tensor(integers: [-1, 2, 1 << 40], shape: [3]), "empty": Tensor(zeros: [0, 4]), "scalar": Tensor(2.5),
      "channels last": testValues([2, 3, 4, 5]).channelsLast(),
    ]
    tensors["u8"] = Tensor(layout: Layout([4]), dtype: .uint8) { for i in 0..<4 { $0[i] = UInt8(250 + i) } }
    tensors["i32"] = Tensor(layout: Layout([2]), dtype: .int32) {
      $0.bindMemory(to: Int32.self)[0] = -7; $0.bindMemory(to: Int32.self)[1] = 8
    }
    tensors["bool"] = Tensor(layout: Layout([2]), dtype: .bool) {
      $0[0] = 1; $0[1] = 0
    }
    let url = folder.appending(path: "all.safetensors")
    try writeSafeTensors(tensors, metadata: ["note": "a \"quoted\"\n line", "ä": "ö"], to: url)
    let read = try SafeTensorsFile(url)
    #expect(read.metadata == ["note": "a \"quoted\"\n line", "ä": "ö"])
    #expect(Set(read.names) == Set(tensors.keys))
    for (name, tensor) in tensors {
      let back = try read.tensor(name)
      #expect(back.dtype == tensor.dtype && back.shape == tensor.shape, "\(name)")
      if tensor.dtype.isInteger {
        #expect(back.integers() == tensor.integers(), "\(name)")
      } else {
        #expect(back.floats() == tensor.floats(), "\(name)")
      }
    }
  }

  @Test func `the same content gives the same bytes and a tensor outlives its file`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let names = (0..<50).map { "layer.\($0)" }
    let tensors = Dictionary(uniqueKeysWithValues: names.map { ($0, testValues([3], $0.count)) })
    let again = Dictionary(uniqueKeysWithValues: names.reversed().map { ($0, testValues([3], $0.count)) })
    let (a, b) = (folder.appending(path: "a.safetensors"), folder.appending(path: "b.safetensors"))
    try writeSafeTensors(tensors, metadata: ["x": "1", "y": "2"], to: a)
    try writeSafeTensors(again, metadata: ["y": "2", "x": "1"], to: b)
    #expect(try Data(contentsOf: a) == Data(contentsOf: b))
    let kept = try SafeTensorsFile(a).tensor("layer.7")
    try FileManager.default.removeItem(at: a)
    #expect(kept.floats() == tensors["layer.7"]!.floats())
  }

  @Test(arguments: [
    "", "{", "[]", "{}x", "{\"a\":1}", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\","
      + "\"shape\":[0,4611686018427387904,4611686018427387904],\"data_offsets\":[8,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"Q3\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
    "{\"__metadata__\":{\"x\":3},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "{\"a",
  ])
  func `a hostile header is an error that names the file`(_ header: String) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = try file(header: header, data: 8)
    let error = #expect(throws: SafeTensorsError.self) { try SafeTensorsFile(url) }
    #expect(error?.description.contains(url.path) == true)
  }

  @Test func `a huge stated header, a short file and a folder are errors`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    for stated in [UInt64.max, 1 << 62, 99_999_999, 3] {
      let url = try file(header: "{}", data: 8, stated: stated)
      #expect(throws: SafeTensorsError.self) { try SafeTensorsFile(url) }
    }
    let short = folder.appending(path: "short")
    try Data([1, 2, 3]).write(to: short)
    #expect(throws: SafeTensorsError.self) { try SafeTensorsFile(short) }
    #expect(throws: SafeTensorsError.self) { try SafeTensorsFile(folder) }
    #expect(throws: SafeTensorsError.self) { try SafeTensorsFile(folder.appending(path: "none")) }
  }

  @Test func `an unaligned or unsupported tensor does not spoil the file`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = try file(
      header: "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
        + "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]},"
        + "\"c\":{\"dtype\":\"I16\",\"shape\":[4],\"data_offsets\":[9,17]}}", data: 17)
    let read = try SafeTensorsFile(url)
    #expect(try read.tensor("a").floats() == [0, 0])
    #expect(throws: SafeTensorsError.self) { try read.tensor("c") }
    #expect(throws: SafeTensorsError.self) { try read.tensor("d") }
  }

  @Test func `doubles are read as floats`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let header =
      "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
      + "\"c\":{\"dtype\":\"F64\",\"shape\":[3],\"data_offsets\":[1,25]}}"
    var bytes = [UInt8](try Data(contentsOf: file(header: header, data: 25)))
    let values = [1.0 / 3, -2e300, 1e-3]
    // Doubles that lie at no multiple of 8.
    values.withUnsafeBytes { bytes.replaceSubrange((bytes.count - 24)..., with: $0) }
    let url = folder.appending(path: "doubles.safetensors")
    try Data(bytes).write(to: url)
    let tensor = try SafeTensorsFile(url).tensor("c")
    #expect(tensor.dtype == .float32 && tensor.floats() == values.map { Float($0) })
  }

  @Test func `a damaged file is an error or reads within bounds`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let good = folder.appending(path: "good.safetensors")
    try writeSafeTensors(["a": testValues([3, 4]), "b": Tensor(integers: [1, 2], shape: [2])], to: good)
    let bytes = [UInt8](try Data(contentsOf: good))
    var random = RandomStream(seed: 11)
    let damaged = folder.appending(path: "damaged.safetensors")
    for _ in 0..<400 {
      var changed = bytes
      for _ in 0...random.below(3) { changed[random.below(changed.count)] = UInt8(random.below(256)) }
      if random.chance(0.2) { changed.removeLast(random.below(changed.count)) }
      try Data(changed).write(to: damaged)
      guard let file = try? SafeTensorsFile(damaged) else { continue }
      for name in file.names {
        guard let tensor = try? file.tensor(name) else { continue }
        #expect(tensor.count * tensor.dtype.size <= bytes.count)
        _ = tensor.withBytes { $0.reduce(0) { $0 &+ Int($1) } }
      }
    }
  }
}
