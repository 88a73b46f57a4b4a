// Frames of one video stream: which ones, from the packets' timestamps; then one pass that decodes no more than needed.

import CLibAV
import Foundation

/// The moving pictures of an open container.
final class VideoTrack {
  private let container: Container
  private let index: Int
  private let converter: FrameConverter
  private let orientation: Int
  private var known: Timeline?
  private var mayDrop = true  // whether every packet gives the frame of its timestamp

  init(_ container: Container, _ index: Int) {
    self.container = container
    self.index = index
    converter = FrameConverter(path: container.path, limits: container.limits)
    orientation = displayOrientation(container.stream(index))
  }

  private var stream: UnsafeMutablePointer<AVStream> { container.stream(index) }

  /// Frames in the order of the instants that `choose` gives for the timeline, each as indices into it.
  func frames(fit: Fit, choose: (Timeline, _ tick: Double) -> [Int]) throws(MediaError) -> [VideoFrame] {
    try frames(choose: choose) { image, _ in image.fitted(fit) }.map { VideoFrame(image: $0.value, time: $0.time) }
  }

  /// What `transform` makes of each frame and its time, so that no more than one whole frame is in memory. It may be
  /// asked twice for a frame, and in another order than the one that comes out.
  func frames<Value>(
    choose: (Timeline, _ tick: Double) -> [Int], transform: (ImagePixels, Double) -> Value
  ) throws(MediaError) -> [(value: Value, time: Double)] {
    var timeline = try self.timeline()
    var made = try decode(wanted(choose, timeline), timeline, transform)
    if made == nil, mayDrop {
      // Some packets show nothing (fields, hidden reference frames): ask the decoder what there is, then choose again.
      timeline = try timelineOfFrames()
      made = try decode(wanted(choose, timeline), timeline, transform)
    }
    guard let made else {
      throw MediaError(.damaged, path: container.path, "frames that its index promises cannot be decoded")
    }
    known = timeline
    return choose(timeline, value(stream.pointee.time_base) ?? 1).map { frame in
      let timestamp = timeline.shown[frame]
      return (made[timestamp]!, time(of: timestamp, timeline))
    }
  }

  /// Seconds from the first frame until the last one is no longer shown.
  func length() throws(MediaError) -> Double {
    let timeline = try self.timeline()
    return time(of: timeline.end, timeline)
  }

  private func time(of timestamp: Int64, _ timeline: Timeline) -> Double {
    seconds(timestamp - timeline.shown[0], stream.pointee.time_base)
  }

  private func timeline() throws(MediaError) -> Timeline {
    if let known { return known }
    if let ofPackets = try timelineOfPackets() { return ofPackets }
    return try timelineOfFrames()
  }

  private func wanted(_ choose: (Timeline, Double) -> [Int], _ timeline: Timeline) -> [Int64] {
    Set(choose(timeline, value(stream.pointee.time_base) ?? 1)).sorted().map { timeline.shown[$0] }
  }

  /// The timeline from the packets alone; nil where they have no presentation times.
  private func timelineOfPackets() throws(MediaError) -> Timeline? {
    try container.rewind(to: index)
    var shown: [Int64] = []
    var keys: [Timeline.Key] = []
    var last: (shown: Int64, duration: Int64) = (Int64.min, 0)
    let none = unmask_av_nopts_value()
    while let packet = try container.next(index) {
      let flags = packet.pointee.flags
      if flags & AV_PKT_FLAG_CORRUPT != 0 {
        throw MediaError(.damaged, path: container.path, "it breaks off after \(shown.count) frames")
      }
      if flags & AV_PKT_FLAG_DISCARD != 0 { continue }  // cut away by an edit list
      let timestamp = packet.pointee.pts
      if timestamp == none { return nil }
      shown.append(timestamp)
      if flags & AV_PKT_FLAG_KEY != 0 {
        let decoded = packet.pointee.dts
        keys.append(Timeline.Key(shown: timestamp, decoded: decoded == none ? timestamp : decoded))
      }
      if timestamp > last.shown { last = (timestamp, packet.pointee.duration) }
    }
    if shown.isEmpty { throw MediaError(.damaged, path: container.path, "its video has no frames") }
    return Timeline(shown: shown, keys: keys, lastDuration: last.duration)
  }

  /// The timeline by decoding everything: the times that the decoder gives, and by the frame rate where it
  /// gives none.
  private func timelineOfFrames() throws(MediaError) -> Timeline {
    mayDrop = false
    var shown: [Int64] = []
    try decodeAll(until: { _ in false }) { timestamp, _ throws(MediaError) in shown.append(timestamp) }
    if shown.isEmpty { throw MediaError(.damaged, path: container.path, "its video has no frames that can be decoded") }
    return Timeline(shown: shown, keys: [], lastDuration: 0)
  }

  /// What becomes of the frames with the given timestamps (sorted); nil when one of them never appears.
  private func decode<Value>(
    _ wanted: [Int64], _ timeline: Timeline, _ transform: (ImagePixels, Double) -> Value
  ) throws(MediaError) -> [Int64: Value]? {
    var made: [Int64: Value] = [:]
    var next = 0  // wanted[..<next] are done
    try decodeAll(wanted: wanted, timeline: timeline, until: { _ in next == wanted.count }) {
      timestamp, frame throws(MediaError) in
      guard let place = wanted[next...].firstIndex(of: timestamp) else { return }
      made[timestamp] = transform(try converter.convert(frame).oriented(orientation), time(of: timestamp, timeline))
      next = place + 1
    }
    return made.count == wanted.count ? made : nil
  }

  /// Decodes from the beginning until `done`, giving every frame and its timestamp to `body`.
  ///
  /// With `wanted` and a timeline from packets, frames that nobody wants and no other frame needs are not decoded, and
  /// stretches without wanted frames are skipped by seeking to a key frame. Frames are the same either way.
  private func decodeAll(
    wanted: [Int64] = [], timeline: Timeline? = nil, until done: (Int64) -> Bool,
    _ body: (Int64, UnsafeMutablePointer<AVFrame>) throws(MediaError) -> Void
  ) throws(MediaError) {
    try container.rewind(to: index)
    let decoder = try Decoder(stream, limits: container.limits, path: container.path)
    let isWanted = Set(wanted)
    let none = unmask_av_nopts_value()
    let skips = mayDrop && timeline != nil
    var latest = Int64.min
    var delivered = 0

    func drain() throws(MediaError) {
      while try decoder.receive() {
        let frame = decoder.frame
        var timestamp = frame.pointee.pts
        if timestamp == none { timestamp = frame.pointee.best_effort_timestamp }
        if timestamp == none { timestamp = latest == Int64.min ? 0 : latest + ticksPerFrame }
        if frame.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0 || frame.pointee.decode_error_flags != 0 {
          throw damaged(at: timestamp, timeline)
        }
        delivered += 1
        latest = max(latest, timestamp)
        try body(timestamp, frame)
        if done(timestamp) { return }
      }
    }

    var position = Int64.min  // of the last packet sent
    var target = 0  // the first of `wanted` that has not come yet
    var considered = -1
    while !done(latest) {
      while target < wanted.count, wanted[target] <= latest { target += 1 }
      if skips, container.hasIndex, target < wanted.count, target != considered {
        considered = target
        try skip(to: wanted[target], from: position, timeline!, decoder)
      }
      guard let packet = try container.next(index) else { break }
      let timestamp = packet.pointee.pts
      if skips {
        let isNeeded = isWanted.contains(timestamp) || timestamp == none
        decoder.context.pointee.skip_frame = isNeeded ? AVDISCARD_DEFAULT : AVDISCARD_NONREF
      }
      if timestamp != none { position = max(position, timestamp) }
      if try !decoder.send(packet), delivered > 0 {
        // Before the first frame a decoder may still be looking for a place to start.
        throw damaged(at: timestamp, timeline)
      }
      try drain()
    }
    if !done(latest) {
      _ = try decoder.send(nil)
      try drain()
    }
  }

  /// Seeks to the key frame that a wanted frame needs, where that leaves out more than a few frames.
  private func skip(
    to wanted: Int64, from position: Int64, _ timeline: Timeline, _ decoder: Decoder
  ) throws(MediaError) {
    guard let key = timeline.key(before: wanted), key.shown > position else { return }
    let current = position == Int64.min ? 0 : timeline.index(at: Double(position))
    guard timeline.index(at: Double(key.shown)) > current + 4 else { return }
    try container.seek(index, to: container.formatName.hasPrefix("mov,") ? key.decoded : key.shown)
    // What the decoder still holds is shown before the key frame, and nobody wants it.
    decoder.flush()
  }

  private var ticksPerFrame: Int64 {
    let rate = value(stream.pointee.avg_frame_rate) ?? value(stream.pointee.r_frame_rate) ?? 25
    return max(1, Int64((1 / rate / (value(stream.pointee.time_base) ?? 1)).rounded()))
  }

  private func damaged(at timestamp: Int64, _ timeline: Timeline?) -> MediaError {
    let since = timestamp == unmask_av_nopts_value() ? 0 : timestamp - (timeline?.shown[0] ?? 0)
    let time = (seconds(since, stream.pointee.time_base) * 1000).rounded() / 1000
    return MediaError(.damaged, path: container.path, "its video is damaged at \(time) s")
  }
}

/// The EXIF-like orientation of a stream's display matrix: phones store pictures as the sensor lies.
func displayOrientation(_ stream: UnsafeMutablePointer<AVStream>) -> Int {
  guard let matrix = unmask_av_display_matrix(stream) else { return 1 }
  // (x, y) of the stored picture is shown at (a x + c y, b x + d y).
  func sign(_ i: Int) -> Int { matrix[i] > 1 << 14 ? 1 : matrix[i] < -(1 << 14) ? -1 : 0 }
  switch (sign(0), sign(1), sign(3), sign(4)) {
  case (-1, 0, 0, 1): return 2
  case (-1, 0, 0, -1): return 3
  case (1, 0, 0, -1): return 4
  case (0, 1, 1, 0): return 5
  case (0, 1, -1, 0): return 6
  case (0, -1, -1, 0): return 7
  case (0, -1, 1, 0): return 8
  default: return 1
  }
}
