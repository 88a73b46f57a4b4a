import Faces
import Foundation
import Media
import Models

/// Decodes what a model needs of a file and brings it to the model's size: faces are cut out and silence is trimmed where
/// the model's input says so. Normalisation comes later, when a part is cut.
struct Preparer: Sendable {
  let detectors: FaceDetectors

  /// - Throws: `MediaError` naming the file and the reason; `FaceError` when this machine lacks the model's face detector.
  func sample(_ file: URL, _ input: Preprocessing) throws -> PreparedSample {
    switch input {
    case .frames(let frames):
      let fit = fit(frames.scaling, size: frames.size)
      guard let faces = frames.faces else { return try wholeFrames(file, frames, fit) }
      let found = try FaceReader(file, faces.settings, faces.files(detectors), detectors)
      guard found.face != nil || faces.missing == "exclude" else {
        return try wholeFrames(file, frames, fit).noting(Self.noFace)
      }
      let crops = try found.crops(count: frames.count)
      let pictures = crops.times.indices.map { crops.picture($0).fitted(fit) }
      return PreparedSample(
        pictures.flatMap(\.pixels), shape: [pictures.count, frames.size, frames.size, 3], note: Self.note(found))
    case .clips(let clips):
      let fit = fit(clips.scaling, size: clips.size)
      guard let faces = clips.faces else { return try wholeClips(file, clips, fit) }
      let found = try FaceReader(file, faces.settings, faces.files(detectors), detectors)
      guard found.face != nil || faces.missing == "exclude" else {
        return try wholeClips(file, clips, fit).noting(Self.noFace)
      }
      let span = try found.span()
      let times = clipTimes(clips, duration: span.upperBound - span.lowerBound).map { $0 + span.lowerBound }
      let crops = try found.crops(times: times)
      guard crops.times.count == times.count else { throw MediaError(.absent, file, "it has no moving pictures") }
      let pixels = crops.times.indices.flatMap { crops.picture($0).fitted(fit).pixels }
      return PreparedSample(
        pixels, shape: [clips.count, clips.length, clips.size, clips.size, 3], note: Self.note(found))
    case .logMel(let mel):
      return logMel(try sound(file, rate: mel.sampleRate, seconds: mel.maximumSeconds, mel.trim), mel)
    case .cepstra(let cepstra):
      return cepstraSummary(
        try sound(file, rate: cepstra.sampleRate, seconds: cepstra.maximumSeconds, cepstra.trim), cepstra)
    case .waveform(let wave):
      let samples = try sound(file, rate: wave.sampleRate, seconds: wave.maximumSeconds, wave.trim)
      return PreparedSample(samples, shape: [samples.count])
    }
  }

  private static let noFace = "no face was found, the whole frames are used"

  private static func note(_ reader: FaceReader) -> String {
    reader.otherFaces == 0 ? "" : "other faces were seen beside the main one"
  }

  private func wholeFrames(_ file: URL, _ frames: Preprocessing.Frames, _ fit: Fit) throws -> PreparedSample {
    let reader = try MediaReader(file)
    let pictures =
      reader.facts.kind == .image
      ? [try Media.image(at: file, onWhite: frames.scaling != nil).fitted(fit)]
      : try reader.frames(count: frames.count, fit: fit).map(\.image)
    return PreparedSample(pictures.flatMap(\.pixels), shape: [pictures.count, frames.size, frames.size, 3])
  }

  private func wholeClips(_ file: URL, _ clips: Preprocessing.Clips, _ fit: Fit) throws -> PreparedSample {
    let reader = try MediaReader(file)
    let times = clipTimes(clips, duration: reader.facts.duration ?? 0)
    let pictures = try reader.frames(times: times, fit: fit)
    return PreparedSample(
      pictures.flatMap(\.image.pixels), shape: [clips.count, clips.length, clips.size, clips.size, 3])
  }
}

extension Preprocessing.Faces {
  /// What crops are made by; the strings are checked when a model or an experiment is read.
  var settings: FaceSettings {
    FaceSettings(
      region: FaceSettings.Region(rawValue: crop)!, margin: margin, size: size, aligns: aligns, smallest: smallest)
  }

  func files(_ detectors: FaceDetectors) throws -> DetectorFiles {
    try detectors.files(DetectorFiles.Kind(rawValue: detector)!, hash: detectorHash)
  }
}

/// How pictures come to a model's size.
private func fit(_ scaling: Preprocessing.Scaling?, size: Int) -> Fit {
  guard let scaling else { return .cover(width: size, height: size) }
  let scaled: Fit =
    switch scaling.mode {
    case .exact: .exact(width: scaling.side, height: scaling.side)
    case .shortSide: .shortSide(scaling.side)
    case .none: .original
    }
  guard let filter = ResizeFilter(rawValue: scaling.filter) else {
    preconditionFailure("no filter is called \(scaling.filter); Preprocessing.validate lets none other pass")
  }
  return .cropped(scaled, filter, width: size, height: size)
}

/// The times, in seconds, of all frames of all clips: clips evenly spaced from the beginning to the end. Each time is in
/// the middle of a frame's turn, so that rounding never picks its neighbour.
func clipTimes(_ clips: Preprocessing.Clips, duration: Double) -> [Double] {
  let spare = max(0, duration - Double(clips.length) / clips.rate)
  return (0..<clips.count).flatMap { clip in
    // Clips begin on the grid of frames.
    let start = (spare * Double(clip) / Double(max(1, clips.count - 1)) * clips.rate).rounded() / clips.rate
    return (0..<clips.length).map { start + (Double($0) + 0.5) / clips.rate }
  }
}

private func sound(_ file: URL, rate: Int, seconds: Double, _ trim: Preprocessing.Trim?) throws -> [Float] {
  var samples = try Media.sound(at: file).mono().resampled(to: rate).samples
  guard !samples.isEmpty else { throw MediaError(.absent, file, "its sound is empty") }
  if let trim {
    let rule = SilenceRule(decibels: trim.decibels, minimumSeconds: trim.minimumSeconds)
    samples = Array(samples[rule.sounding(samples, rate: rate)])
  }
  return Array(samples.prefix(Int(seconds * Double(rate))))
}
