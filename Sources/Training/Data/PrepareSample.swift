import Foundation
import Media
import Models

/// Decodes what a model needs of a file and brings it to the model's size. Normalisation comes later, when a part is cut.
///
/// - Throws: `MediaError` naming the file and the reason.
@Sendable func prepareSample(_ file: URL, _ input: Preprocessing) throws -> PreparedSample {
  switch input {
  case .frames(let frames):
    let fit = fit(of: frames)
    let reader = try MediaReader(file)
    let pictures =
      reader.facts.kind == .image
      ? [try Media.image(at: file).fitted(fit)] : try reader.frames(count: frames.count, fit: fit).map(\.image)
    return PreparedSample(pictures.flatMap(\.pixels), shape: [pictures.count, frames.size, frames.size, 3])
  case .clips(let clips):
    let reader = try MediaReader(file)
    let times = clipTimes(clips, duration: reader.facts.duration ?? 0)
    let pictures = try reader.frames(times: times, fit: .cover(width: clips.size, height: clips.size))
    return PreparedSample(
      pictures.flatMap(\.image.pixels), shape: [clips.count, clips.length, clips.size, clips.size, 3])
  case .logMel(let mel):
    return logMel(try sound(file, rate: mel.sampleRate, seconds: mel.maximumSeconds), mel)
  case .cepstra(let cepstra):
    return cepstraSummary(try sound(file, rate: cepstra.sampleRate, seconds: cepstra.maximumSeconds), cepstra)
  case .waveform(let wave):
    let samples = try sound(file, rate: wave.sampleRate, seconds: wave.maximumSeconds)
    return PreparedSample(samples, shape: [samples.count])
  }
}

/// How pictures come to a model's size.
private func fit(of frames: Preprocessing.Frames) -> Fit {
  guard let scaling = frames.scaling else { return .cover(width: frames.size, height: frames.size) }
  let scaled: Fit =
    switch scaling.mode {
    case .exact: .exact(width: scaling.side, height: scaling.side)
    case .shortSide: .shortSide(scaling.side)
    case .none: .original
    }
  guard let filter = ResizeFilter(rawValue: scaling.filter) else {
    preconditionFailure("no filter is called \(scaling.filter); Preprocessing.validate lets none other pass")
  }
  return .cropped(scaled, filter, width: frames.size, height: frames.size)
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

private func sound(_ file: URL, rate: Int, seconds: Double) throws -> [Float] {
  let samples = try Media.sound(at: file).mono().resampled(to: rate).samples
  guard !samples.isEmpty else { throw MediaError(.absent, file, "its sound is empty") }
  return Array(samples.prefix(Int(seconds * Double(rate))))
}
