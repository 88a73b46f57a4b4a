// Decoded sound as plain samples.

/// A sound: samples in -1...1, channels interleaved.
public struct Sound: Sendable, Equatable {
  /// Frames per second.
  public let sampleRate: Int
  /// 1 for mono, 2 for stereo.
  public let channels: Int
  /// Frame after frame.
  public let samples: [Float]  // [frames, channels]
  /// Presentation time of the first sample, in seconds from a video's first frame: sound and frames are on one clock.
  /// Rarely exactly 0 in a video, always 0 in a sound file.
  public let start: Double

  /// A sound of given samples.
  ///
  /// - Shapes: `samples [frames, channels]`
  /// - Traps: if the rate is not positive, or the samples are no whole number of frames.
  public init(sampleRate: Int, channels: Int, samples: [Float], start: Double = 0) {
    precondition(sampleRate > 0 && channels > 0, "Sound: \(sampleRate) Hz with \(channels) channels is no sound.")
    precondition(
      samples.count % channels == 0, "Sound: \(samples.count) samples are no whole frames of \(channels) channels.")
    self.sampleRate = sampleRate
    self.channels = channels
    self.samples = samples
    self.start = start
  }

  /// Number of samples of one channel.
  public var frames: Int { samples.count / channels }

  /// Length in seconds.
  public var duration: Double { Double(frames) / Double(sampleRate) }

  /// The mean of all channels.
  public func mono() -> Sound {
    if channels == 1 { return self }
    let frames = frames, channels = channels
    let scale = 1 / Float(channels)
    let mixed = [Float](unsafeUninitializedCapacity: frames) { target, count in
      samples.withUnsafeBufferPointer { source in
        if channels == 2 {
          for i in 0..<frames { target[i] = (source[2 &* i] + source[2 &* i &+ 1]) * 0.5 }
        } else {
          for i in 0..<frames {
            var sum: Float = 0
            for c in 0..<channels { sum += source[i &* channels &+ c] }
            target[i] = sum * scale
          }
        }
      }
      count = frames
    }
    return Sound(sampleRate: sampleRate, channels: 1, samples: mixed, start: start)
  }

  /// One channel at 16 kHz, what speech models take: mixed, then band-limited and resampled.
  public func mono16k() -> Sound { mono().resampled(to: 16_000) }
}

/// Whether no sample is infinite or not a number.
func areFinite(_ samples: [Float]) -> Bool {
  // An exponent of all ones carries into the sign bit when one is added to it; a plain loop over integers vectorises.
  var carried: UInt32 = 0
  for sample in samples { carried |= (sample.bitPattern & 0x7F80_0000) &+ 0x0080_0000 }
  return carried & 0x8000_0000 == 0
}
