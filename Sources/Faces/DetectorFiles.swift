public import Foundation
import CFaces
import Files

/// The files of a face detector on this machine: OpenCV's cascades, or a YuNet network in an ONNX file.
public struct DetectorFiles: Sendable, Hashable {
  /// Which detector it is.
  public enum Kind: String, Sendable, Codable {
    /// Viola-Jones cascades for frontal faces, profiles and eyes.
    case cascade
    /// A small convolutional network with five landmarks.
    case yunet
  }

  /// Which detector it is.
  public let kind: Kind
  /// The cascades in the order frontal, profile, eyes; or the one ONNX file.
  public let files: [URL]
  /// SHA-256 over names and contents: what results depend on in place of the paths.
  public let hash: String

  static let cascadeNames = [
    "haarcascade_frontalface_alt2.xml", "haarcascade_profileface.xml", "haarcascade_eye.xml",
  ]

  /// Where Debian, Ubuntu, and OpenCV's own installation keep the cascades.
  static let cascadeFolders = ["/usr/share/opencv4/haarcascades", "/usr/local/share/opencv4/haarcascades"]

  /// The cascades of the package `opencv-data`, or those in `folder`.
  ///
  /// - Throws: `FaceError` if they are not there.
  public static func cascades(in folder: URL? = nil) throws -> DetectorFiles {
    let folders = folder.map { [$0] } ?? cascadeFolders.map { URL(filePath: $0) }
    for folder in folders {
      let files = cascadeNames.map { folder.appending(path: $0) }
      guard files.allSatisfy({ FileManager.default.isReadableFile(atPath: $0.path) }) else { continue }
      return try DetectorFiles(.cascade, files)
    }
    throw FaceError(
      "OpenCV's cascade files (\(cascadeNames.joined(separator: ", "))) are not in \(folders[0].path); install the "
        + "package opencv-data, or run Scripts/setup")
  }

  /// A YuNet network.
  ///
  /// - Throws: `FaceError` if there is no such file, or it is too large for one.
  public static func yunet(_ file: URL) throws -> DetectorFiles {
    guard FileManager.default.isReadableFile(atPath: file.path) else {
      throw FaceError(
        "there is no face detector at \(file.path); give the path of a YuNet ONNX file "
          + "(https://github.com/opencv/opencv_zoo, face_detection_yunet), or write detector: cascade")
    }
    return try DetectorFiles(.yunet, [file])
  }

  /// Largest detector file that is read.
  static let limit = 64 << 20

  private init(_ kind: Kind, _ files: [URL]) throws {
    var text = ""
    for (index, file) in files.enumerated() {
      do {
        text += "\(index) \(sha256(try readFile(file, limit: Self.limit)))\n"
      } catch { throw FaceError("the face detector's file cannot be used: \(error)") }
    }
    (self.kind, self.files, hash) = (kind, files, sha256(text))
  }

  /// The version of OpenCV that this program has loaded; another one may find other faces.
  public static var openCVVersion: String { String(cString: dk_faces_version()) }
}
