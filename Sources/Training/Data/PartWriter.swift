import Models
import Tensor

/// Cuts parts (frames, windows, clips) out of prepared samples and writes them as network input: augmented when a random
/// stream is given, exactly the same every time when not.
struct PartWriter: Sendable {
  let input: Preprocessing
  /// Width of the feature vectors that samples consist of, where they are features of a frozen backbone.
  var featureCount: Int?

  /// Shape of one part without the batch.
  var partShape: [Int] { featureCount.map { [$0] } ?? input.partShape }

  /// How many parts a sample is scored on.
  func parts(of sample: PreparedSample) -> Int {
    if featureCount != nil { return sample.shape[0] }
    return switch input {
    case .frames, .clips: sample.shape[0]
    case .logMel(let mel):
      // A rest of up to a quarter of a window is left out: a spectrogram has one frame more than its hops.
      min(mel.maximumWindows, max(1, (sample.shape[1] + mel.windowFrames * 3 / 4 - 1) / mel.windowFrames))
    case .cepstra: 1
    // As for spectrograms, a rest of up to a quarter of a window is left out.
    case .waveform(let wave):
      min(wave.maximumWindows, max(1, (sample.shape[0] + wave.window * 3 / 4 - 1) / wave.window))
    }
  }

  /// How many views of a sample one epoch takes: no more than it has frames or clips. Windows of sound are cut at random
  /// places, so there are always enough.
  func views(of sample: PreparedSample, wanted: Int) -> Int {
    if featureCount != nil { return min(wanted, sample.shape[0]) }
    return switch input {
    case .frames, .clips: min(wanted, sample.shape[0])
    case .logMel, .waveform: wanted
    case .cepstra: 1
    }
  }

  /// A batch from memory of its parts, one after another.
  ///
  /// - Shapes: `[count] + input.partShape`, channels last in memory where there are pictures.
  func batch(_ count: Int, _ write: (Int, UnsafeMutableBufferPointer<Float>) -> Void) -> Tensor {
    let shape = partShape
    let size = shape.reduce(1, *)
    let format: MemoryFormat = shape.count >= 3 ? .channelsLast : .contiguous
    return Tensor([count] + shape, format: format) { out in
      for part in 0..<count {
        write(part, UnsafeMutableBufferPointer(rebasing: out[(part * size)..<((part + 1) * size)]))
      }
    }
  }

  /// All parts of a sample, for scoring.
  func scoringBatch(_ sample: PreparedSample) -> Tensor {
    batch(parts(of: sample)) { part, out in write(sample, part: part, random: nil, to: out) }
  }

  /// Part `part` of a sample in memory order. With `random`, the part is augmented; where in a sound it lies is random too.
  func write(
    _ sample: PreparedSample, part: Int, random: RandomStream?, to out: UnsafeMutableBufferPointer<Float>
  ) {
    if let featureCount {
      _ = out.update(fromContentsOf: sample.floats[(part * featureCount)..<((part + 1) * featureCount)])
      return
    }
    switch input {
    case .frames(let frames):
      let size = frames.size * frames.size * 3
      PictureAugmentation(random: random, size: frames.size, isFaint: frames.flat).write(
        sample.bytes[(part * size)..<((part + 1) * size)], frames: 1, size: frames.size, mean: frames.mean,
        deviation: frames.deviation, to: out)
    case .clips(let clips):
      let size = clips.length * clips.size * clips.size * 3
      PictureAugmentation(random: random, size: clips.size, isFaint: true).write(
        sample.bytes[(part * size)..<((part + 1) * size)], frames: clips.length, size: clips.size, mean: clips.mean,
        deviation: clips.deviation, to: out)
    case .logMel(let mel):
      writeSpectrogram(sample, mel, part: part, of: parts(of: sample), random: random, to: out)
    case .cepstra:
      _ = out.update(fromContentsOf: sample.floats)
    case .waveform(let wave):
      writeWave(sample.floats, wave, part: part, of: parts(of: sample), random: random, to: out)
    }
  }
}
