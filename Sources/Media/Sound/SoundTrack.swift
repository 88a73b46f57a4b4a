// The sound track of a container, through libav.

import CLibAV
import Foundation

/// Decodes a container's sound track as it is: its own rate and channels, interleaved floats.
func readSoundTrack(_ container: Container, _ index: Int) throws(MediaError) -> Sound {
  try container.rewind(to: index)
  let stream = container.stream(index)
  let decoder = try Decoder(stream, limits: container.limits, path: container.path)
  let collector = SampleCollector(path: container.path, limit: container.limits.soundValues)
  var start: Double?
  var isDone = false
  while !isDone {
    let packet = try container.next(index)
    if let packet, packet.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 {
      throw MediaError(.damaged, path: container.path, "its sound breaks off after \(collector.time) s")
    }
    if try !decoder.send(packet), collector.frames > 0 {
      // Before the first samples a decoder may still be looking for a place to start.
      throw MediaError(.damaged, path: container.path, "its sound is damaged at \(collector.time) s")
    }
    while try decoder.receive() {
      if start == nil, decoder.frame.pointee.best_effort_timestamp != unmask_av_nopts_value() {
        start = seconds(decoder.frame.pointee.best_effort_timestamp, stream.pointee.time_base)
      }
      try collector.append(decoder.frame)
    }
    isDone = packet == nil
  }
  guard collector.frames > 0 else {
    throw MediaError(.damaged, path: container.path, "its sound track has no samples that can be decoded")
  }
  // Beside pictures the time counts from the first of them; alone, from the first sample.
  let none = unmask_av_nopts_value()
  let first = container.video.map { container.stream($0).pointee }.flatMap {
    $0.start_time == none ? nil : seconds($0.start_time, $0.time_base)
  }
  return try collector.sound(start: start.flatMap { start in first.map { start - $0 } } ?? 0)
}

/// Gathers decoded frames of any sample format.
private final class SampleCollector {
  let path: String
  let limit: Int
  private var rate = 0
  private var channels = 0
  private var values: UnsafeMutablePointer<Float>
  private var capacity = 1 << 16
  private var count = 0

  init(path: String, limit: Int) {
    self.path = path
    self.limit = limit
    values = .allocate(capacity: capacity)
  }

  deinit { values.deallocate() }

  var frames: Int { channels == 0 ? 0 : count / channels }
  var time: Double { rate == 0 ? 0 : (Double(frames) / Double(rate) * 1000).rounded() / 1000 }

  func append(_ frame: UnsafeMutablePointer<AVFrame>) throws(MediaError) {
    let (frames, frameRate) = (Int(frame.pointee.nb_samples), Int(frame.pointee.sample_rate))
    let frameChannels = Int(frame.pointee.ch_layout.nb_channels)
    guard frames >= 0, frameRate > 0, (1...64).contains(frameChannels), let planes = frame.pointee.extended_data else {
      throw MediaError(.damaged, path: path, "its sound is damaged at \(time) s")
    }
    if rate == 0 { (rate, channels) = (frameRate, frameChannels) }
    guard rate == frameRate, channels == frameChannels else {
      throw MediaError(.unsupported, path: path, "its sound changes rate or channels at \(time) s")
    }
    guard count + frames * channels <= limit else {
      throw MediaError(.tooLarge, path: path, "its sound is longer than the limit of \(limit) samples")
    }
    reserve(frames * channels)
    let format = AVSampleFormat(rawValue: frame.pointee.format)
    let source = Planes(
      planes: UnsafeRawPointer(planes).assumingMemoryBound(to: UnsafeRawPointer.self), frames: frames,
      channels: channels, isPlanar: av_sample_fmt_is_planar(format) != 0)
    let target = values + count
    switch format {
    case AV_SAMPLE_FMT_U8, AV_SAMPLE_FMT_U8P: source.copy(UInt8.self, to: target) { (Float($0) - 128) / 128 }
    case AV_SAMPLE_FMT_S16, AV_SAMPLE_FMT_S16P: source.copy(Int16.self, to: target) { Float($0) / 32768 }
    case AV_SAMPLE_FMT_S32, AV_SAMPLE_FMT_S32P: source.copy(Int32.self, to: target) { Float(Double($0) / 0x1p31) }
    case AV_SAMPLE_FMT_S64, AV_SAMPLE_FMT_S64P: source.copy(Int64.self, to: target) { Float(Double($0) / 0x1p63) }
    case AV_SAMPLE_FMT_FLT, AV_SAMPLE_FMT_FLTP: source.copy(Float.self, to: target) { $0 }
    case AV_SAMPLE_FMT_DBL, AV_SAMPLE_FMT_DBLP: source.copy(Double.self, to: target) { Float($0) }
    default: throw MediaError(.unsupported, path: path, "its sound has an unknown sample format")
    }
    count += frames * channels
  }

  private func reserve(_ more: Int) {
    guard count + more > capacity else { return }
    capacity = max(capacity * 2, count + more)
    let larger = UnsafeMutablePointer<Float>.allocate(capacity: capacity)
    larger.update(from: values, count: count)
    values.deallocate()
    values = larger
  }

  func sound(start: Double) throws(MediaError) -> Sound {
    let samples = Array(UnsafeBufferPointer(start: values, count: count))
    guard areFinite(samples) else {
      throw MediaError(.damaged, path: path, "its sound contains samples that are no numbers")
    }
    return Sound(sampleRate: rate, channels: channels, samples: samples, start: start)
  }
}

/// The samples of one decoded frame: a plane for each channel, or one with all of them interleaved.
private struct Planes {
  let planes: UnsafePointer<UnsafeRawPointer>
  let frames: Int
  let channels: Int
  let isPlanar: Bool

  @inline(__always)
  func copy<T>(_: T.Type, to target: UnsafeMutablePointer<Float>, _ convert: (T) -> Float) {
    for c in 0..<(isPlanar ? channels : 1) {
      let plane = planes[c].assumingMemoryBound(to: T.self)
      let count = isPlanar ? frames : frames * channels
      let step = isPlanar ? channels : 1
      if step == 1 {
        for i in 0..<count { target[i] = convert(plane[i]) }
      } else {
        var out = target + c
        for i in 0..<count {
          out.pointee = convert(plane[i])
          out += step
        }
      }
    }
  }
}
