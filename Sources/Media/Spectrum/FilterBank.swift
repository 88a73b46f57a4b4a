// Triangular filters over the bins of a power spectrum: mel-spaced (two definitions of the scale) or equally spaced.

import CMedia
import Foundation

/// How the centres of the filters are spaced.
public enum FilterScale: String, Sendable, Codable, Hashable, CaseIterable {
  /// 2595 log10(1 + f / 700): torchaudio's default.
  case melHTK = "mel-htk"
  /// Linear to 1 kHz, then logarithmic: librosa's default.
  case melSlaney = "mel-slaney"
  /// Equally spaced: for LFCC.
  case linear

  func position(_ hertz: Double) -> Double {
    switch self {
    case .melHTK: 2595 * log10(1 + hertz / 700)
    case .melSlaney: hertz < 1000 ? hertz * 3 / 200 : 15 + log(hertz / 1000) / (log(6.4) / 27)
    case .linear: hertz
    }
  }

  func hertz(_ position: Double) -> Double {
    switch self {
    case .melHTK: 700 * (pow(10, position / 2595) - 1)
    case .melSlaney: position < 15 ? position * 200 / 3 : 1000 * exp(log(6.4) / 27 * (position - 15))
    case .linear: position
    }
  }
}

/// How high the filters are.
public enum FilterHeight: String, Sendable, Codable, Hashable, CaseIterable {
  /// Every filter reaches 1: torchaudio's default.
  case peak
  /// Every filter has the same area, 2 divided by its width in hertz at the peak: librosa's default ("slaney").
  case area
}

/// Triangular filters, each kept from its first to its last bin that is not zero.
struct FilterBank: Sendable {
  let count: Int
  let bins: Int
  private(set) var first: [Int] = []
  private(set) var offsets: [Int] = [0]
  private(set) var weights: [Float] = []

  init(_ c: SpectrogramConfiguration, bins: Int) {
    count = c.bands
    self.bins = bins
    let scale = c.scale
    let (from, to) = (scale.position(c.lowest), scale.position(c.highest))
    let edges = (0..<(count + 2)).map { scale.hertz(from + (to - from) * Double($0) / Double(count + 1)) }
    let spacing = Double(c.sampleRate) / 2 / Double(max(1, bins - 1))
    for i in 0..<count {
      let (low, centre, high) = (edges[i], edges[i + 1], edges[i + 2])
      let height = c.height == .area ? 2 / (high - low) : 1
      let row = (0..<bins).map { bin in
        let f = Double(bin) * spacing
        return max(0, min((f - low) / (centre - low), (high - f) / (high - centre))) * height
      }
      let start = row.firstIndex { $0 > 0 } ?? 0
      let end = (row.lastIndex { $0 > 0 } ?? -1) + 1
      first.append(start)
      if end > start { weights += row[start..<end].map(Float.init) }
      offsets.append(weights.count)
    }
  }

  /// The filters as a full matrix `[count, bins]`.
  var matrix: [Float] {
    var full = [Float](repeating: 0, count: count * bins)
    for i in 0..<count {
      for (k, at) in (offsets[i]..<offsets[i + 1]).enumerated() { full[i * bins + first[i] + k] = weights[at] }
    }
    return full
  }

  /// Energies of one spectrum `[bins]` into `target [count]`.
  func apply(_ spectrum: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>) {
    weights.withUnsafeBufferPointer { weights in
      for i in 0..<count {
        let n = offsets[i + 1] - offsets[i]
        target[i] = n == 0 ? 0 : dk_dot(spectrum + first[i], weights.baseAddress! + offsets[i], n)
      }
    }
  }
}
