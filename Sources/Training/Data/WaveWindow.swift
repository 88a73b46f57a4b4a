import Models
import Tensor

extension PartWriter {
  /// A window of sound. Without `random`, window `part` of `count` evenly spaced ones; with it, one from a random place,
  /// changed by `WaveNoise`.
  ///
  /// A sound shorter than the window is followed by zeros under a mask, where the network takes one. Where it does not,
  /// the sound is repeated: such a network has not learnt to overlook silence, and how much of it there is would tell
  /// the sound's length.
  ///
  /// - Source: mean 0 and variance 1 as `Wav2Vec2FeatureExtractor` of `transformers` gives them, padding left out.
  func writeWave(
    _ samples: [Float], _ wave: Preprocessing.Waveform, part: Int, of count: Int, random: RandomStream?,
    to out: UnsafeMutableBufferPointer<Float>
  ) {
    var random = random
    let (total, width) = (samples.count, wave.window)
    let spare = max(0, total - width)
    let start: Int
    if random != nil {
      start = spare > 0 ? random!.below(spare + 1) : wave.hasMask ? 0 : random!.below(total)
    } else {
      start = count > 1 ? (spare * part + (count - 1) / 2) / (count - 1) : spare / 2
    }
    let heard = wave.hasMask ? min(total, width) : width
    samples.withUnsafeBufferPointer { source in
      var from = start
      for index in 0..<heard {
        out[index] = source[from]
        from &+= 1
        if from == total { from = 0 }
      }
    }
    if let random {
      WaveNoise(random, sampleRate: wave.sampleRate).apply(to: UnsafeMutableBufferPointer(rebasing: out[..<heard]))
    }
    if wave.normalises { normalise(UnsafeMutableBufferPointer(rebasing: out[..<heard])) }
    for index in heard..<width { out[index] = 0 }
    guard wave.hasMask else { return }
    for index in 0..<width { out[width + index] = index < heard ? 1 : 0 }
  }

  private func normalise(_ values: UnsafeMutableBufferPointer<Float>) {
    var (sum, squares): (Double, Double) = (0, 0)
    for value in values { sum += Double(value) }
    let mean = sum / Double(values.count)
    for value in values { squares += (Double(value) - mean) * (Double(value) - mean) }
    let scale = 1 / (squares / Double(values.count) + 1e-7).squareRoot()  // the feature extractor's own constant
    for index in values.indices { values[index] = Float((Double(values[index]) - mean) * scale) }
  }
}
