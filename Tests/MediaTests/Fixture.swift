// Where the media fixtures are, and the tensors beside them.

import Foundation
import Media
import Testing

enum Fixture {
  /// `Tests/Fixtures/media`.
  static let committed = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/media")

  /// A folder of reference cases: all of them when UNMASK_CASES names them, else those committed.
  static func cases(_ name: String) -> URL {
    if let all = ProcessInfo.processInfo.environment["UNMASK_CASES"] {
      return URL(filePath: all).appending(path: "media/\(name)")
    }
    return committed.appending(path: name)
  }

  static func json<T: Decodable>(_ type: T.Type, _ url: URL) throws -> T {
    try JSONDecoder().decode(type, from: Data(contentsOf: url))
  }

  /// A fresh file of given bytes in a temporary folder; removed when `body` returns.
  static func temporary<R>(_ bytes: Data, _ body: (URL) throws -> R) throws -> R {
    let url = FileManager.default.temporaryDirectory.appending(path: "unmask-media-\(UUID().uuidString)")
    try bytes.write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url)
  }
}

/// A safetensors file, read with as little code as possible: these tests must not depend on our own reader.
struct Tensors {
  struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let data_offsets: [Int]
  }

  private let entries: [String: Entry]
  private let data: Data

  init(_ url: URL) throws {
    let file = try Data(contentsOf: url)
    let length = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    var object = try #require(
      JSONSerialization.jsonObject(with: file.subdata(in: 8..<(8 + length))) as? [String: Any])
    object["__metadata__"] = nil
    entries = try JSONDecoder().decode(
      [String: Entry].self, from: JSONSerialization.data(withJSONObject: object))
    data = file.subdata(in: (8 + length)..<file.count)
  }

  func has(_ name: String) -> Bool { entries[name] != nil }

  func shape(_ name: String) throws -> [Int] { try #require(entries[name], "no tensor \(name)").shape }

  func bytes(_ name: String) throws -> [UInt8] {
    let entry = try #require(entries[name], "no tensor \(name)")
    return Array(data[entry.data_offsets[0]..<entry.data_offsets[1]])
  }

  func floats(_ name: String) throws -> [Float] {
    let bytes = try bytes(name)
    return bytes.withUnsafeBytes { raw in
      (0..<(bytes.count / 4)).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }
}

/// ||a - b|| / ||b||.
func relativeError(_ a: [Float], _ b: [Float]) -> Double {
  guard a.count == b.count else { return .infinity }
  var (difference, norm) = (0.0, 0.0)
  for (x, y) in zip(a, b) {
    difference += (Double(x) - Double(y)) * (Double(x) - Double(y))
    norm += Double(y) * Double(y)
  }
  return (difference / norm).squareRoot()
}

/// Mean and largest absolute difference of two pictures of the same size.
func difference(_ image: ImagePixels, _ expected: [UInt8]) -> (mean: Double, largest: Int) {
  guard image.pixels.count == expected.count else { return (.infinity, .max) }
  var (sum, largest) = (0, 0)
  for (a, b) in zip(image.pixels, expected) {
    let d = abs(Int(a) - Int(b))
    sum += d
    largest = max(largest, d)
  }
  return (Double(sum) / Double(expected.count), largest)
}
