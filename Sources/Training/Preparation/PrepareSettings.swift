public import Faces
import Foundation
public import Models

/// The `prepare:` section of an experiment: what is done with a file before a model's own scaling.
public struct PrepareSettings: Codable, Hashable, Sendable {
  /// Whether faces are cut out.
  public enum FaceMode: String, Codable, Sendable, CaseIterable {
    /// Whole pictures.
    case none
    /// The main face, found by a detector.
    case detect
  }

  /// What a file without a face gives.
  public enum Missing: String, Codable, Sendable, CaseIterable {
    /// No score, and a reason.
    case exclude
    /// Its whole pictures; how often is counted.
    case frame
  }

  /// Whether faces are cut out, for models of pictures and of video.
  public var faces = FaceMode.none
  /// `cascade`, or the path of a YuNet ONNX file.
  public var detector = "cascade"
  /// SHA-256 over the detector's files, found when the run begins: what results depend on in place of the path.
  public var detectorHash: String?
  /// The version of OpenCV, found when the run begins.
  public var openCV: String?
  /// The part that is cut out.
  public var crop = FaceSettings.Region.face
  /// What is added on every side, as a share of the part's side.
  public var margin = 0.3
  /// Width and height of the crop in pixels, before the model's own scaling.
  public var size = 224
  /// Turns the crop so that the eyes lie level.
  public var align = true
  /// The smallest face, as a share of the picture's shorter side.
  public var smallestFace = 0.1
  /// What a file without a face gives.
  public var missing = Missing.exclude
  /// Takes silence off at both ends of a sound, for models of sound.
  public var trimSilence = false
  /// 10 ms so far below the loudest 10 ms, or further, are silent.
  public var silenceDecibels = 40.0
  /// Shorter silence stays.
  public var silenceMinimumSeconds = 0.1

  enum CodingKeys: String, CodingKey {
    case faces, detector, crop, margin, size, align, missing
    case detectorHash = "detector_sha256", openCV = "opencv", smallestFace = "smallest_face"
    case trimSilence = "trim_silence", silenceDecibels = "silence_db", silenceMinimumSeconds = "silence_minimum_s"
  }

  /// The defaults of `cluster/defaults.yaml`.
  public init() {}

  /// The detector's kind.
  public var detectorKind: DetectorFiles.Kind { detector == "cascade" ? .cascade : .yunet }

  /// Checks ranges.
  ///
  /// - Throws: `TrainingError` naming the key.
  public func validate(model: String? = nil) throws {
    func check(_ isValid: Bool, _ sentence: String) throws {
      guard isValid else { throw TrainingError((model.map { "model \($0): " } ?? "") + "prepare.\(sentence)") }
    }
    try check(
      detector == "cascade" || detector.hasSuffix(".onnx"),
      "detector must be cascade, or the path of an .onnx file, not \"\(detector)\"")
    try check((0...2).contains(margin), "margin is a share of the face's side on each side, from 0 to 2, not \(margin)")
    try check((16...1024).contains(size), "size is the crop's side in pixels, from 16 to 1024, not \(size)")
    try check(
      (0.01...1).contains(smallestFace),
      "smallest_face is a share of the picture's shorter side, from 0.01 to 1, not \(smallestFace)")
    try check(
      (1...200).contains(silenceDecibels),
      "silence_db must be from 1 to 200 dB below the loudest 10 ms, not \(silenceDecibels)")
    try check(
      (0...60).contains(silenceMinimumSeconds), "silence_minimum_s must be from 0 to 60 s, not \(silenceMinimumSeconds)"
    )
  }

  /// The files of the detector on this machine; nil where no faces are looked for.
  ///
  /// - Throws: `FaceError` if they are not there.
  public func detectorFiles() throws -> DetectorFiles? {
    guard faces == .detect else { return nil }
    return try detectorKind == .cascade ? .cascades() : .yunet(URL(filePath: detector))
  }

  /// With the hash of the detector's files, which must be such as OpenCV can read.
  ///
  /// - Throws: `FaceError` naming the file.
  public func withDetectorHash() throws -> PrepareSettings {
    guard let files = try detectorFiles() else { return self }
    _ = try FaceDetector(files)
    var hashed = self
    (hashed.detectorHash, hashed.openCV) = (files.hash, DetectorFiles.openCVVersion)
    return hashed
  }

  /// A model's input with this preparation: faces where it looks at pictures, silence where it listens.
  ///
  /// - Traps: if faces are to be detected and the detector's hash is not known yet.
  public func applied(to input: Preprocessing) -> Preprocessing {
    var prepared = input
    if faces == .detect {
      guard let detectorHash, let openCV else { preconditionFailure("PrepareSettings: the detector has no hash yet") }
      prepared.faces = .init(
        crop: crop.rawValue, detector: detectorKind.rawValue, detectorHash: detectorHash, openCV: openCV,
        margin: margin, size: size, aligns: align, smallest: smallestFace, missing: missing.rawValue)
    }
    if trimSilence { prepared.trim = .init(decibels: silenceDecibels, minimumSeconds: silenceMinimumSeconds) }
    return prepared
  }
}
