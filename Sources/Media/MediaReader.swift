// One file opened once: facts, frames and sound of it.

import CLibAV
import CSndFile
public import Foundation

/// An open media file. Not thread-safe: it belongs to whoever opened it.
public final class MediaReader {
  private enum Content {
    case picture(PictureFile?)
    case sound(SoundFile)
    case container(Container, VideoTrack?)
  }

  private let path: String
  private let limits: MediaLimits
  private let content: Content
  /// What the file's headers say.
  public let facts: MediaFacts

  /// Opens a file and reads its headers.
  ///
  /// - Throws: `MediaError` when it cannot be opened or is no known image, sound or video.
  public init(_ url: URL, limits: MediaLimits = MediaLimits()) throws {
    path = url.path(percentEncoded: false)
    self.limits = limits
    let head = try fileHead(path)
    if let file = try PictureFile(path: path, head: head, limits: limits) {
      facts = try file.facts()
      content = .picture(file)
    } else if let file = try SoundFile.opening(path, head: head) {
      facts = try MediaFacts(file)
      content = .sound(file)
    } else {
      let container = try Container(path: path, limits: limits)
      facts = try MediaFacts(container)
      let track = facts.hasVideo ? container.video.map { VideoTrack(container, $0) } : nil
      content = facts.kind == .image ? .picture(nil) : .container(container, track)
    }
  }

  /// The picture as RGB, turned as its EXIF orientation says unless `upright` is false.
  public func image(upright: Bool = true) throws -> ImagePixels {
    if case .picture(let file?) = content { return try file.decode(upright: upright) }
    return try readImage(path: path, upright: upright, limits: limits)
  }

  /// The sound, or a video's sound track, at its own rate.
  public func sound() throws -> Sound {
    switch content {
    case .sound(let file): return try file.read(limits)
    case .container(let container, _):
      guard let index = container.audio else { break }
      return try readSoundTrack(container, index)
    case .picture: break
    }
    throw MediaError(.absent, path: path, "it has no sound")
  }

  /// `count` frames spread evenly by presentation time: those shown in the middle of `count` equal parts.
  ///
  /// - Traps: if `count` is not positive.
  public func frames(count: Int, fit: Fit = .original) throws -> [VideoFrame] {
    precondition(count > 0, "MediaReader: \(count) frames cannot be chosen.")
    return try video().frames(fit: fit) { timeline, _ in
      timeline.evenlySpaced(count).map { timeline.index(at: $0) }
    }
  }

  /// The frames shown at given times, in seconds from the first frame, in the order asked for. A time before the first
  /// frame gives the first, a time after the end the last.
  public func frames(times: [Double], fit: Fit = .original) throws -> [VideoFrame] {
    try video().frames(fit: fit) { timeline, tick in
      times.map { timeline.index(at: Double(timeline.shown[0]) + $0 / tick) }
    }
  }

  /// Up to `count` consecutive frames from the one shown at `start` seconds; fewer where the video ends.
  ///
  /// - Traps: if `count` is not positive.
  public func clip(from start: Double, count: Int, fit: Fit = .original) throws -> [VideoFrame] {
    precondition(count > 0, "MediaReader: a clip of \(count) frames cannot be read.")
    return try video().frames(fit: fit) { timeline, tick in
      let first = timeline.index(at: Double(timeline.shown[0]) + start / tick)
      return Array(first..<min(first + count, timeline.shown.count))
    }
  }

  /// What `transform` makes of `count` frames spread evenly by presentation time: large frames need not be in memory
  /// together. It is given the frame and its time, and may see a frame twice.
  ///
  /// - Traps: if `count` is not positive.
  public func frames<Value>(
    count: Int, transform: (ImagePixels, _ time: Double) -> Value
  ) throws -> [(value: Value, time: Double)] {
    precondition(count > 0, "MediaReader: \(count) frames cannot be chosen.")
    return try video().frames(
      choose: { timeline, _ in timeline.evenlySpaced(count).map { timeline.index(at: $0) } }, transform: transform)
  }

  /// What `transform` makes of the frames shown at given times; see `frames(times:fit:)` and `frames(count:transform:)`.
  public func frames<Value>(
    times: [Double], transform: (ImagePixels, _ time: Double) -> Value
  ) throws -> [(value: Value, time: Double)] {
    try video().frames(
      choose: { timeline, tick in times.map { timeline.index(at: Double(timeline.shown[0]) + $0 / tick) } },
      transform: transform)
  }

  /// Seconds that a video lasts, by the times of its frames and not by what its header says.
  ///
  /// - Cost: reads the file's index, or all of it where there is none; decodes nothing in the usual case.
  public func videoLength() throws -> Double { try video().length() }

  private func video() throws -> VideoTrack {
    guard case .container(_, let track?) = content else {
      throw MediaError(.absent, path: path, "it has no moving pictures")
    }
    return track
  }
}

extension MediaFacts {
  init(_ file: SoundFile) throws(MediaError) {
    self.init(kind: .sound, format: file.format, bytes: try fileSize(file.path))
    sampleRate = Int(file.info.samplerate)
    channels = Int(file.info.channels)
    duration = Double(file.info.frames) / Double(file.info.samplerate)
    audioCodec = file.codec
  }

  init(_ container: Container) throws(MediaError) {
    let video = container.video.map { container.stream($0) }
    let audio = container.audio.map { container.stream($0) }
    guard video != nil || audio != nil else {
      throw MediaError(.unknownFormat, path: container.path, "has neither picture nor sound")
    }
    let kind: MediaKind = video == nil ? .sound : container.isStillImage ? .image : .video
    self.init(kind: kind, format: container.formatName, bytes: try fileSize(container.path))
    hasAudio = audio != nil
    if kind != .image { duration = seconds(of: container, video ?? audio!) }
    if let video {
      let parameters = video.pointee.codecpar.pointee
      let isTurned = displayOrientation(video) >= 5
      width = Int(isTurned ? parameters.height : parameters.width)
      height = Int(isTurned ? parameters.width : parameters.height)
      if kind == .video {
        frameRate = value(video.pointee.avg_frame_rate) ?? value(video.pointee.r_frame_rate)
      }
      videoCodec = String(cString: avcodec_get_name(parameters.codec_id))
    }
    if let audio {
      let parameters = audio.pointee.codecpar.pointee
      sampleRate = Int(parameters.sample_rate)
      channels = Int(parameters.ch_layout.nb_channels)
      audioCodec = String(cString: avcodec_get_name(parameters.codec_id))
    }
  }
}

private func seconds(of container: Container, _ stream: UnsafeMutablePointer<AVStream>) -> Double? {
  let none = unmask_av_nopts_value()
  if stream.pointee.duration != none && stream.pointee.duration > 0 {
    return seconds(stream.pointee.duration, stream.pointee.time_base)
  }
  let whole = container.context.pointee.duration
  return whole != none && whole > 0 ? Double(whole) / Double(AV_TIME_BASE) : nil
}
