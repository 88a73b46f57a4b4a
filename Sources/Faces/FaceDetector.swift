import CFaces
import Files
import Foundation
public import Media

/// Finds faces in single pictures. Loading takes some hundredths of a second, so keep it: `FaceDetectors` does.
///
///     let detector = try FaceDetector(.cascades())
///     for face in try detector.faces(in: picture, smallest: 0.1) { print(face.centre, face.side) }
///
/// - Thread: one at a time.
public final class FaceDetector {
  private let handle: OpaquePointer
  private let kind: DetectorFiles.Kind

  /// Loads a detector.
  ///
  /// - Throws: `FaceError` naming the file if OpenCV cannot read it.
  public init(_ detector: DetectorFiles) throws {
    kind = detector.kind
    var message = [CChar](repeating: 0, count: 512)
    let paths = detector.files.map(\.path)
    let handle: OpaquePointer?
    switch kind {
    case .cascade: handle = dk_faces_cascades(paths[0], paths[1], paths[2], &message, message.count)
    case .yunet:
      let bytes = try readFile(detector.files[0], limit: DetectorFiles.limit)
      handle = dk_faces_yunet(paths[0], bytes, bytes.count, &message, message.count)
    }
    guard let handle else {
      throw FaceError(
        kind == .cascade
          ? "a face cascade cannot be used: \(Self.sentence(message)); install the package opencv-data again"
          : "\(paths[0]) cannot be used as a face detector: \(Self.sentence(message)); give a YuNet ONNX file")
    }
    self.handle = handle
  }

  deinit { dk_faces_free(handle) }

  /// Longest side of the pictures that are searched, in pixels; larger ones are shrunk first.
  private var searchedSide: Int { kind == .cascade ? 400 : 640 }

  /// The faces whose box is at least `smallest` times as large as the picture's shorter side, best first.
  ///
  /// - Throws: `FaceError` if the detector fails.
  /// - Cost: about 100 ms with cascades, 20 ms with YuNet, whatever the picture's size.
  public func faces(in picture: ImagePixels, smallest: Double) throws -> [Face] {
    let longest = max(picture.width, picture.height)
    let scale = min(1, Double(searchedSide) / Double(longest))
    let searched =
      scale == 1
      ? picture
      : picture.resized(
        width: max(1, Int((Double(picture.width) * scale).rounded())),
        height: max(1, Int((Double(picture.height) * scale).rounded())))
    let least = max(kind == .cascade ? 20 : 10, Int(smallest * Double(min(searched.width, searched.height))))
    var found = [dk_face](repeating: dk_face(), count: Int(DK_FACES_MOST))
    var message = [CChar](repeating: 0, count: 512)
    let count = searched.pixels.withUnsafeBufferPointer { pixels in
      dk_faces_find(
        handle, pixels.baseAddress, Int32(searched.width), Int32(searched.height), Int32(least), &found,
        Int32(found.count), &message, message.count)
    }
    guard count >= 0 else { throw FaceError("the face detector failed: \(Self.sentence(message))") }
    let enlarged = Double(longest) / Double(max(searched.width, searched.height))
    return found.prefix(Int(count)).map { Face($0).scaled(by: enlarged) }.filter { $0.isIn(picture) }
  }

  /// OpenCV's message as one line.
  private static func sentence(_ message: [CChar]) -> String {
    let text = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }
}

extension Face {
  init(_ found: dk_face) {
    self.init(
      corner: Point(Double(found.x), Double(found.y)), width: Double(found.width), height: Double(found.height),
      score: Double(found.score))
    let values = withUnsafeBytes(of: found.points) { Array($0.bindMemory(to: Float.self)) }
    points = (0..<Int(found.known)).map { Point(Double(values[2 * $0]), Double(values[2 * $0 + 1])) }
  }
}

extension Face {
  /// Whether its middle and its points lie in a picture or near it, and it is no larger: a network may say anything.
  fileprivate func isIn(_ picture: ImagePixels) -> Bool {
    let (width, height) = (Double(picture.width), Double(picture.height))
    return side <= 2 * max(width, height)
      && ([centre] + points).allSatisfy {
        (-width...2 * width).contains($0.x) && (-height...2 * height).contains($0.y)
      }
  }
}
