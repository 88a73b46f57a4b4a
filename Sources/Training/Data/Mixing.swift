import Foundation
import Models
import Tensor

/// MixUp and CutMix: a view becomes part another view of the same pass, and so does its label.
///
/// The partner is decided by position: the views of a pass (a logical shard, or a part of it where gradients are
/// accumulated) are turned against themselves by a number of places that the first view's name decides. How much of it
/// is taken follows from the view's own name. So neither depends on which worker computes the shard.
///
/// - Source: Zhang et al. 2017, "mixup", arXiv:1710.09412; Yun et al. 2019, "CutMix", arXiv:1905.04899.
struct Mixing: Sendable {
  /// What one view is made of.
  struct Draw: Sendable, Equatable {
    /// Position of the partner in the pass.
    let partner: Int
    /// Share of the view itself, in pixels where a part is cut out.
    let share: Double
    /// Rows and columns that come from the partner; nil blends whole pictures.
    let box: Box?
  }

  /// A rectangle of pixels.
  struct Box: Sendable, Equatable {
    let rows, columns: Range<Int>
  }

  private let mixup, cutmix: Double
  private let frames, size: Int

  /// What the settings ask for; nil when they ask for nothing, or the input is no picture.
  init?(_ settings: TrainSettings, _ input: Preprocessing) {
    guard settings.mixup > 0 || settings.cutmix > 0 else { return nil }
    switch input {
    case .frames(let input): (frames, size) = (1, input.size)
    case .clips(let input): (frames, size) = (input.length, input.size)
    default: return nil
    }
    (mixup, cutmix) = (settings.mixup, settings.cutmix)
  }

  /// What each view of a pass is made of, from the views' own streams.
  func draws(_ streams: [RandomStream]) -> [Draw] {
    guard let first = streams.first, streams.count > 1 else {
      return streams.map { _ in Draw(partner: 0, share: 1, box: nil) }
    }
    var turn = first.keyed("partner")
    let distance = 1 + turn.below(streams.count - 1)
    return streams.enumerated().map { position, stream in
      draw(stream.keyed("mix"), partner: (position + distance) % streams.count)
    }
  }

  private func draw(_ stream: RandomStream, partner: Int) -> Draw {
    var random = stream
    let cuts = mixup == 0 || (cutmix > 0 && random.chance(0.5))
    let share = random.beta(cuts ? cutmix : mixup)
    guard cuts else { return Draw(partner: partner, share: share, box: nil) }
    // A rectangle of the picture's shape and of area 1 - share, cut off where its centre lies near the border.
    let side = Double(size) * (1 - share).squareRoot()
    func range() -> Range<Int> {
      let centre = Double(random.below(size))
      let (low, high) = (Int(centre - side / 2), Int((centre + side / 2).rounded(.up)))
      return max(0, min(size, low))..<max(0, min(size, high))
    }
    let box = Box(rows: range(), columns: range())
    let area = box.rows.count * box.columns.count
    return Draw(partner: partner, share: 1 - Double(area) / Double(size * size), box: box)
  }

  /// Writes a view's pixels, `[frames, size, size, 3]`, from the pass's unmixed ones.
  func write(
    _ draw: Draw, of position: Int, from parts: UnsafeBufferPointer<Float>, to out: UnsafeMutableBufferPointer<Float>
  ) {
    let own = UnsafeBufferPointer(rebasing: parts[(position * out.count)..<((position + 1) * out.count)])
    let other = UnsafeBufferPointer(rebasing: parts[(draw.partner * out.count)..<((draw.partner + 1) * out.count)])
    guard let box = draw.box else {
      let (a, b) = (Float(draw.share), Float(1 - draw.share))
      for index in out.indices { out[index] = a * own[index] + b * other[index] }
      return
    }
    _ = out.update(fromContentsOf: own)
    for frame in 0..<frames {
      for row in box.rows {
        let line = (frame * size + row) * size
        for index in (3 * (line + box.columns.lowerBound))..<(3 * (line + box.columns.upperBound)) {
          out[index] = other[index]
        }
      }
    }
  }
}

extension RandomStream {
  /// Distributed as Beta(α, α), the mean 0.5.
  mutating func beta(_ alpha: Double) -> Double {
    let (a, b) = (gamma(alpha), gamma(alpha))
    // For tiny α both may vanish; the distribution is then 0 or 1.
    return a + b > 0 ? a / (a + b) : chance(0.5) ? 1 : 0
  }

  /// Distributed as Gamma(α, 1).
  ///
  /// - Source: Marsaglia & Tsang 2000, "A simple method for generating gamma variables"; below 1 with their boost.
  private mutating func gamma(_ alpha: Double) -> Double {
    guard alpha >= 1 else { return gamma(alpha + 1) * pow(1 - unit(), 1 / alpha) }
    let d = alpha - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = normal()
      let v = (1 + c * x) * (1 + c * x) * (1 + c * x)
      if v > 0, log(1 - unit()) < 0.5 * x * x + d - d * v + d * log(v) { return d * v }
    }
  }
}
