import Models
import Tensor

extension PartWriter {
  /// A window of a spectrogram with mean 0 and deviation 1 over all its cells, so that loudness tells nothing. A sound
  /// shorter than the window is repeated to fill it.
  ///
  /// Without `random`, window `part` of `count` evenly spaced ones. With it, a random place (or a random turn, where the
  /// sound is not longer than the window), and SpecAugment: up to two bands of time and of frequency set to the mean.
  ///
  /// - Source: Park et al. 2019, "SpecAugment", arXiv:1904.08779.
  func writeSpectrogram(
    _ sample: PreparedSample, _ mel: Preprocessing.LogMel, part: Int, of count: Int, random: RandomStream?,
    to out: UnsafeMutableBufferPointer<Float>
  ) {
    let (mels, total, width) = (sample.shape[0], sample.shape[1], mel.windowFrames)
    var random = random
    let spare = max(0, total - width)
    let start: Int
    if random != nil {
      start = random!.below(spare > 0 ? spare + 1 : total)
    } else {
      start = count > 1 ? (spare * part + (count - 1) / 2) / (count - 1) : spare / 2
    }
    sample.floats.withUnsafeBufferPointer { source in
      for band in 0..<mels {
        let (from, to) = (band * total, band * width)
        for column in 0..<width { out[to &+ column] = source[from &+ (start &+ column) % total] }
      }
    }
    standardise(out)
    guard random != nil else { return }
    for _ in 0..<2 {
      let length = random!.below(width / 10 + 1)
      let first = random!.below(width - length + 1)
      for band in 0..<mels { for column in first..<(first + length) { out[band * width + column] = 0 } }
    }
    for _ in 0..<2 {
      let height = random!.below(mels / 8 + 1)
      let first = random!.below(mels - height + 1)
      for index in (first * width)..<((first + height) * width) { out[index] = 0 }
    }
  }

  private func standardise(_ values: UnsafeMutableBufferPointer<Float>) {
    var (sum, squares): (Double, Double) = (0, 0)
    for value in values { sum += Double(value) }
    let mean = sum / Double(values.count)
    for value in values { squares += (Double(value) - mean) * (Double(value) - mean) }
    // Digital silence has deviation 0; it becomes a window of zeros.
    let scale = 1 / (squares / Double(values.count)).squareRoot().clamped(below: 1e-3)
    for index in values.indices { values[index] = Float((Double(values[index]) - mean) * scale) }
  }
}

extension Double {
  fileprivate func clamped(below least: Double) -> Double { self < least ? least : self }
}
