import NN
import Tensor

/// Runs of frames, or of channels, hidden from the transformer in training, as `config.json` asks for.
///
/// - Source: Park et al. 2019, "SpecAugment", arXiv:1904.08779, in the form of Baevski et al. 2020, arXiv:2006.11477:
///   the probability is that of a frame being the beginning of a run, times the run's length.
struct SpeechMasking {
  private struct Runs {
    let probability: Double
    let length, least: Int
  }

  private let time, channel: Runs

  init(_ json: ModelConfiguration) throws {
    func runs(_ kind: String, probability: Double, least: Int) throws -> Runs {
      Runs(
        probability: try json.double("mask_\(kind)_prob", default: probability, in: 0...1),
        length: try json.int("mask_\(kind)_length", default: 10, in: 1...100_000),
        least: try json.int("mask_\(kind)_min_masks", default: least, in: 0...100_000))
    }
    time = try runs("time", probability: 0.05, least: 2)
    channel = try runs("feature", probability: 0, least: 0)
  }

  /// `[B, T]`, 1 where a frame is to be hidden; nil outside training and where nothing is.
  func times(_ B: Int, _ T: Int, lengths: [Int]?, _ pass: Pass) -> Tensor? {
    mask(time, B, T, lengths: lengths, pass)
  }

  /// `[B, 1, width]`, 0 where a channel is to be hidden; nil outside training and where nothing is.
  func channels(_ B: Int, _ width: Int, _ pass: Pass) -> Tensor? {
    mask(channel, B, width, lengths: nil, pass)?.affine(-1, 1).reshaped([B, 1, width])
  }

  private func mask(_ runs: Runs, _ B: Int, _ count: Int, lengths: [Int]?, _ pass: Pass) -> Tensor? {
    guard pass.training, runs.probability > 0, runs.length <= count else { return nil }
    var values = [Float](repeating: 0, count: B * count)
    for sample in 0..<B {
      let length = lengths?[sample] ?? count
      guard length >= runs.length else { continue }
      let expected = runs.probability * Double(length) / Double(runs.length)
      let starts = length - runs.length + 1
      let wanted = max(Int(expected + pass.random.unit()), runs.least)
      for start in pass.random.permutation(starts).prefix(min(wanted, length / runs.length)) {
        for position in start..<(start + runs.length) { values[sample * count + position] = 1 }
      }
    }
    return Tensor(values, shape: [B, count])
  }
}
