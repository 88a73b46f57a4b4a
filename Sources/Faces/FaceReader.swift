public import Foundation
import Media

/// A picture or video in which faces were looked for, and crops of its main face: the one seen in most of the searched
/// frames, of several the largest.
///
///     let files = try DetectorFiles.cascades()
///     let reader = try FaceReader(URL(filePath: "clip.mp4"), FaceSettings(), files, FaceDetectors())
///     let crops = try reader.crops(count: 8)                    // [8, 224, 224, 3], evenly spaced over the face's time
///     let mouths = try reader.crops(rate: 25, as: .init(region: .mouth, size: 96))   // a lip-sync model's input
///
/// - Cost: a video is decoded twice, and searched five times a second.
public final class FaceReader {
  /// Raised whenever detection, tracking or cropping changes its results.
  public static let revision = 1

  /// How often a second a video is searched, and in how many frames at most: longer videos are searched less often.
  static let searchesPerSecond = 5.0
  static let mostSearches = 600.0

  /// The main face; nil if there is none.
  public var face: FaceTrack? { search.face }
  /// Other faces, seen in at least a quarter as many frames as the main one.
  public var otherFaces: Int { search.otherFaces }
  /// How many frames were searched.
  public var searched: Int { search.searched }
  private let search: FaceSearch
  private let reader: MediaReader
  private let picture: ImagePixels?
  private let length: Double
  private let settings: FaceSettings
  private let file: URL

  /// Opens a file and looks for faces.
  ///
  /// - Throws: `MediaError` when the file cannot be decoded or has no pictures, `FaceError` when the detector fails.
  public init(_ file: URL, _ settings: FaceSettings, _ files: DetectorFiles, _ detectors: FaceDetectors) throws {
    (self.file, self.settings) = (file, settings)
    reader = try MediaReader(file)
    let isPicture = reader.facts.kind == .image
    picture = isPicture ? try reader.image() : nil
    length = isPicture ? 0 : try reader.videoLength()
    let (reader, picture, length) = (reader, picture, length)
    search = try detectors.search(file, smallest: settings.smallest, files) {
      try detectors.with(files) { detector in
        let faces = { (picture: ImagePixels) in
          Result { try detector.faces(in: picture, smallest: settings.smallest) }
        }
        if let picture { return FaceSearch([(try faces(picture).get(), 0)], step: 0) }
        let count = Int(max(1, min(Self.mostSearches, (length * Self.searchesPerSecond).rounded(.up))))
        var frames: [(faces: [Face], time: Double)] = []
        for found in try reader.frames(count: count, transform: { picture, _ in faces(picture) }) {
          // A video with few frames gives some of them twice.
          if frames.last?.time == found.time { continue }
          frames.append((try found.value.get(), found.time))
        }
        return FaceSearch(frames, step: length / Double(count))
      }
    }
  }

  /// Crops evenly spaced over the time in which the face is seen; a picture gives one.
  ///
  /// - Shapes: `[count, size, size, 3]`
  /// - Throws: `MediaError` where there is no face.
  /// - Traps: if `count` is not positive.
  public func crops(count: Int, as settings: FaceSettings? = nil) throws -> CropSequence {
    precondition(count > 0, "FaceReader: \(count) crops cannot be made.")
    let span = try span()
    let seconds = span.upperBound - span.lowerBound
    return try crops(
      times: (0..<count).map { span.lowerBound + (Double($0) + 0.5) * seconds / Double(count) }, as: settings)
  }

  /// Crops at a fixed rate over the time in which the face is seen, `seconds` of it at most.
  ///
  /// - Shapes: `[T, size, size, 3]`
  /// - Throws: `MediaError` where there is no face.
  /// - Traps: if a number is not positive.
  public func crops(rate: Double, seconds: Double = 30, as settings: FaceSettings? = nil) throws -> CropSequence {
    precondition(rate > 0 && seconds > 0, "FaceReader: a rate of \(rate) over \(seconds) s gives no crops.")
    let span = try span()
    let count = max(1, Int(min(seconds, span.upperBound - span.lowerBound) * rate + 1e-6))
    return try crops(times: (0..<count).map { span.lowerBound + (Double($0) + 0.5) / rate }, as: settings)
  }

  /// Crops of the frames shown at given times, in the order asked for; a picture gives one, whatever the times.
  ///
  /// - Throws: `MediaError` where there is no face.
  public func crops(times: [Double], as settings: FaceSettings? = nil) throws -> CropSequence {
    let settings = settings ?? self.settings
    let face = try found()
    if let picture { return CropSequence([(settings.crop(picture, face.pose(at: 0)), 0)], size: settings.size) }
    return CropSequence(
      try reader.frames(times: times) { picture, time in settings.crop(picture, face.pose(at: time)) },
      size: settings.size)
  }

  /// When the face is seen, in seconds.
  ///
  /// - Throws: `MediaError` where there is no face.
  public func span() throws -> ClosedRange<Double> {
    let span = try found().span
    return min(span.lowerBound, length)...min(span.upperBound, length)
  }

  private func found() throws -> FaceTrack {
    guard let face else { throw MediaError(.absent, file, "no face was found") }
    return face
  }
}
