import Foundation
import Media
import TestSupport

@testable import Faces

/// Pictures and clips made of one real portrait; see Tests/Fixtures/faces.
enum Portrait {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/faces")

  /// 320 by 320; the face's right eye is at (113, 104), the left one at (158, 104), the mouth at (133, 144).
  static let picture = try! Media.image(at: folder.appending(path: "collins.jpg"))
  static let eyes = (right: Point(113, 104), left: Point(158, 104))
  static let mouth = Point(133, 144)

  static let files = try! DetectorFiles.cascades()
  static let detectors = FaceDetectors()

  /// The portrait with its centre at (`x`, `y`) of a grey picture, turned and scaled about it.
  static func placed(
    _ x: Double, _ y: Double, turn degrees: Double = 0, scale: Double = 1, width: Int = 320, height: Int = 240,
    on background: ImagePixels? = nil
  ) -> ImagePixels {
    let angle = degrees * .pi / 180
    // The square of the portrait that lies under the new picture's bounding square.
    let size = max(width, height) * 2
    let (cosine, sine) = (cos(-angle), sin(-angle))
    let dx = (Double(width) / 2 - x) / scale, dy = (Double(height) / 2 - y) / scale
    let centre = (x: 160 + dx * cosine - dy * sine, y: 160 + dx * sine + dy * cosine)
    let all = picture.square(
      centre: centre, axis: (cosine, sine), side: Double(size) / scale, size: size)
    var pixels = background?.pixels ?? [UInt8](repeating: 96, count: width * height * 3)
    let (left, top) = ((size - width) / 2, (size - height) / 2)
    for row in 0..<height {
      for column in 0..<width {
        let from = ((row + top) * size + column + left) * 3
        // Black lies beyond the portrait.
        guard all.pixels[from] | all.pixels[from + 1] | all.pixels[from + 2] != 0 else { continue }
        for channel in 0..<3 { pixels[(row * width + column) * 3 + channel] = all.pixels[from + channel] }
      }
    }
    return ImagePixels(width: width, height: height, pixels: pixels)
  }

  /// Where a place of the portrait lies in `placed`.
  static func place(_ point: Point, _ x: Double, _ y: Double, turn degrees: Double = 0, scale: Double = 1) -> Point {
    let angle = degrees * .pi / 180
    let (dx, dy) = ((point.x - 160) * scale, (point.y - 160) * scale)
    return Point(x + dx * cos(angle) - dy * sin(angle), y + dx * sin(angle) + dy * cos(angle))
  }

  /// Runs `body` on a file with these frames.
  @discardableResult static func video<Value>(_ frames: [ImagePixels], rate: Int = 10, _ body: (URL) throws -> Value)
    throws -> Value
  {
    let data = rawVideo(frames.map(\.pixels), width: frames[0].width, height: frames[0].height, rate: rate)
    return try file(data, "clip.avi", body)
  }

  @discardableResult static func file<Value>(_ data: Data, _ name: String, _ body: (URL) throws -> Value) throws
    -> Value
  {
    let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-faces-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = folder.appending(path: name)
    try data.write(to: url)
    return try body(url)
  }

  static func reader(_ url: URL, _ settings: FaceSettings = FaceSettings()) throws -> FaceReader {
    try FaceReader(url, settings, files, detectors)
  }
}

func distance(_ a: Point, _ b: Point) -> Double { (a - b).length }
