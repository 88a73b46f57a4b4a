// The sound track of a container, through libav.

import CLibAV
import Foundation

/// Decodes a container's sound track as it is: its own rate and channels, interleaved floats.
func readSoundTrack(
  _ container: Container, _ stream: UnsafeMutablePointer<AVStream>
) throws(MediaError) -> Sound {
  let decoder = try Decoder(stream, limits: container.limits, path: container.path)
  container.select(stream)
  try container.seek(stream, to: stream.pointee.start_time == unmask_av_nopts_value() ? 0 : stream.pointee.start_time)
  var collector = SampleCollector(path: container.path, limit: container.limits.soundValues)
  var start: Double?
  var isDone = false
  while !isDone {
    let packet = try container.next(stream)
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
  return try collector.sound(start: start ?? 0)
}

/// Gathers decoded frames of any sample format.
private struct SampleCollector {
  let path: String
  let limit: Int
  private var rate = 0
  private var channels = 0
  private var samples: [Float] = []

  init(path: String, limit: Int) {
    self.path = path
    self.limit = limit
  }

  var frames: Int { channels == 0 ? 0 : samples.count / channels }
  var time: Double { rate == 0 ? 0 : (Double(frames) / Double(rate) * 1000).rounded() / 1000 }

  mutating func append(_ frame: UnsafeMutablePointer<AVFrame>) throws(MediaError) {
    let (count, frameRate) = (Int(frame.pointee.nb_samples), Int(frame.pointee.sample_rate))
    let frameChannels = Int(frame.pointee.ch_layout.nb_channels)
    guard count >= 0, frameRate > 0, (1...64).contains(frameChannels) else {
      throw MediaError(.damaged, path: path, "its sound is damaged at \(time) s")
    }
    if rate == 0 { (rate, channels) = (frameRate, frameChannels) }
    guard rate == frameRate, channels == frameChannels else {
      throw MediaError(.unsupported, path: path, "its sound changes rate or channels at \(time) s")
    }
    guard samples.count + count * channels <= limit else {
      throw MediaError(.tooLarge, path: path, "its sound is longer than the limit of \(limit) samples")
    }
    let format = AVSampleFormat(rawValue: frame.pointee.format)
    let isPlanar = av_sample_fmt_is_planar(format) != 0
    guard let planes = frame.pointee.extended_data else { return }
    // One value's place: in its channel's plane, or interleaved in the first.
    func copy<T>(_: T.Type, _ convert: (T) -> Float) {
      let channels = channels
      let first = samples.count
      samples.append(contentsOf: repeatElement(0, count: count * channels))
      samples.withUnsafeMutableBufferPointer { target in
        let out = target.baseAddress! + first
        if isPlanar {
          for c in 0..<channels {
            let plane = UnsafeRawPointer(planes[c]!).assumingMemoryBound(to: T.self)
            for i in 0..<count { out[i &* channels &+ c] = convert(plane[i]) }
          }
        } else {
          let plane = UnsafeRawPointer(planes[0]!).assumingMemoryBound(to: T.self)
          for i in 0..<(count * channels) { out[i] = convert(plane[i]) }
        }
      }
    }
    switch format {
    case AV_SAMPLE_FMT_U8, AV_SAMPLE_FMT_U8P: copy(UInt8.self) { (Float($0) - 128) / 128 }
    case AV_SAMPLE_FMT_S16, AV_SAMPLE_FMT_S16P: copy(Int16.self) { Float($0) / 32768 }
    case AV_SAMPLE_FMT_S32, AV_SAMPLE_FMT_S32P: copy(Int32.self) { Float(Double($0) / 2_147_483_648) }
    case AV_SAMPLE_FMT_S64, AV_SAMPLE_FMT_S64P: copy(Int64.self) { Float(Double($0) / 0x1p63) }
    case AV_SAMPLE_FMT_FLT, AV_SAMPLE_FMT_FLTP: copy(Float.self) { $0 }
    case AV_SAMPLE_FMT_DBL, AV_SAMPLE_FMT_DBLP: copy(Double.self) { Float($0) }
    default: throw MediaError(.unsupported, path: path, "its sound has an unknown sample format")
    }
  }

  func sound(start: Double) throws(MediaError) -> Sound {
    guard samples.allSatisfy(\.isFinite) else {
      throw MediaError(.damaged, path: path, "its sound contains samples that are no numbers")
    }
    return Sound(sampleRate: rate, channels: channels, samples: samples, start: start)
  }
}
