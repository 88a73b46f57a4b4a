// Resizing with antialiasing, to the byte what Pillow's `resize` gives for 8-bit pictures: weights of the stretched
// filter, normalised, in 22-bit fixed point, first along x, then along y.

import CMedia
import Foundation

/// How pixels are weighted when a picture is resized; when shrinking the filter is widened, so that nothing aliases.
public enum ResizeFilter: String, Sendable, Codable, CaseIterable {
  /// The pixel at the centre; nothing is averaged.
  case nearest
  /// The mean of the covered pixels.
  case box
  /// A triangle of width 2.
  case bilinear
  /// A cubic of width 4, a = -0.5.
  case bicubic
  /// A windowed sinc of width 6.
  case lanczos
  /// A windowed sinc of width 2.
  case hamming

  var support: Double {
    switch self {
    case .nearest, .box: 0.5
    case .bilinear, .hamming: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  func weight(_ x: Double) -> Double {
    let a = abs(x)
    func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }
    switch self {
    case .nearest, .box: return x > -0.5 && x <= 0.5 ? 1 : 0
    case .bilinear: return a < 1 ? 1 - a : 0
    case .bicubic:
      let c = -0.5
      if a < 1 { return ((c + 2) * a - (c + 3)) * a * a + 1 }
      if a < 2 { return (((a - 5) * a + 8) * a - 4) * c }
      return 0
    case .lanczos:
      return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0
    case .hamming:
      return a < 1 ? sinc(x) * (0.54 + 0.46 * cos(x * .pi)) : 0
    }
  }
}

/// The size a decoded picture or frame is brought to; it is scaled once.
public indirect enum Fit: Sendable, Hashable {
  /// As it is in the file.
  case original
  /// Exactly this size; the aspect ratio changes.
  case exact(width: Int, height: Int)
  /// The shorter side has this length; the aspect ratio stays.
  case shortSide(Int)
  /// As `shortSide`, then the middle `width` by `height` pixels.
  case cover(width: Int, height: Int)
  /// As another fit with a filter of its own, then the middle `width` by `height` pixels, black where there are none:
  /// how image processors of published models do it.
  case cropped(Fit, ResizeFilter, width: Int, height: Int)
}

/// The source pixels and weights of each output pixel along one direction.
struct ResizeWeights {
  var bounds: [Int32] = []  // [output, 2]: first source pixel, count
  var weights: [Int32] = []  // [output, taps], times 2^22
  var taps: Int

  init(from source: Int, to target: Int, filter: ResizeFilter) {
    let scale = Double(source) / Double(target)
    let stretch = max(scale, 1)
    let support = filter.support * stretch
    taps = Int(support.rounded(.up)) * 2 + 1
    bounds.reserveCapacity(target * 2)
    weights = [Int32](repeating: 0, count: target * taps)
    var row = [Double](repeating: 0, count: taps)
    for i in 0..<target {
      let centre = (Double(i) + 0.5) * scale
      let first = max(0, Int(centre - support + 0.5))
      let count = min(source, Int(centre + support + 0.5)) - first
      var sum = 0.0
      for k in 0..<count {
        row[k] = filter.weight((Double(k + first) - centre + 0.5) * (1 / stretch))
        sum += row[k]
      }
      for k in 0..<count {
        let value = (sum != 0 ? row[k] * (1 / sum) : row[k]) * Double(1 << 22)
        weights[i * taps + k] = Int32(value < 0 ? value - 0.5 : value + 0.5)
      }
      bounds += [Int32(first), Int32(count)]
    }
  }
}

extension ImagePixels {
  /// The picture at another size.
  ///
  /// - Cost: about (taps along x · rows + taps along y · output rows) · output columns · 3 products.
  /// - Source: the algorithm of Pillow's `Image.resize`, whose bytes it gives.
  /// - Traps: if a size is not positive.
  public func resized(width: Int, height: Int, filter: ResizeFilter = .bilinear) -> ImagePixels {
    precondition(width > 0 && height > 0, "ImagePixels: cannot resize to \(width)x\(height).")
    if width == self.width && height == self.height { return self }
    if filter == .nearest { return picked(width: width, height: height) }
    if height < self.height && self.height - height > 2 * (self.width - width) {
      // Much lower but not much narrower: fewer rows are left for the other direction (Pillow since version 13).
      return resizedAlongY(height, filter).resizedAlongX(width, filter)
    }
    return resizedAlongX(width, filter).resizedAlongY(height, filter)
  }

  /// The nearest pixels. Places are summed up, not multiplied out, as Pillow does: where one falls between two pixels,
  /// the rounding decides.
  private func picked(width: Int, height: Int) -> ImagePixels {
    func places(_ count: Int, of source: Int) -> [Int] {
      let step = Double(source) / Double(count)
      var place = step * 0.5
      return (0..<count).map { _ in
        defer { place += step }
        return min(source - 1, Int(place))
      }
    }
    let (columns, rows) = (places(width, of: self.width), places(height, of: self.height))
    return ImagePixels(width: width, height: height) { target in
      var out = target.baseAddress!
      pixels.withUnsafeBufferPointer { source in
        for row in rows {
          let line = source.baseAddress! + row * self.width * 3
          for column in columns {
            out.update(from: line + column * 3, count: 3)
            out += 3
          }
        }
      }
    }
  }

  private func resizedAlongX(_ width: Int, _ filter: ResizeFilter) -> ImagePixels {
    if width == self.width { return self }
    let table = ResizeWeights(from: self.width, to: width, filter: filter)
    return ImagePixels(width: width, height: height) { target in
      pixels.withUnsafeBufferPointer { source in
        dk_resize_rows(
          source.baseAddress!, self.width, target.baseAddress!, width, height, table.bounds, table.weights, table.taps)
      }
    }
  }

  private func resizedAlongY(_ height: Int, _ filter: ResizeFilter) -> ImagePixels {
    if height == self.height { return self }
    let table = ResizeWeights(from: self.height, to: height, filter: filter)
    return ImagePixels(width: width, height: height) { target in
      pixels.withUnsafeBufferPointer { source in
        dk_resize_columns(
          source.baseAddress!, target.baseAddress!, width * 3, height, table.bounds, table.weights, table.taps)
      }
    }
  }

  /// The picture brought to a size.
  public func fitted(_ fit: Fit, filter: ResizeFilter = .bilinear) -> ImagePixels {
    if case .cropped(let scaling, let filter, let w, let h) = fit {
      return fitted(scaling, filter: filter).middle(width: w, height: h)
    }
    let scaled = fit.scaledSize(width: width, height: height)
    let whole = resized(width: scaled.width, height: scaled.height, filter: filter)
    if case .cover(let w, let h) = fit { return whole.centreCropped(width: w, height: h) }
    return whole
  }
}

extension Fit {
  /// The size of the whole picture after scaling, before any cropping.
  func scaledSize(width: Int, height: Int) -> (width: Int, height: Int) {
    switch self {
    case .cropped(let scaling, _, _, _): return scaling.scaledSize(width: width, height: height)
    case .original: return (width, height)
    case .exact(let w, let h): return (w, h)
    case .shortSide(let side):
      // The longer side is rounded down, as torchvision does.
      return width <= height ? (side, max(side, side * height / width)) : (max(side, side * width / height), side)
    case .cover(let w, let h):
      let scale = max(Double(w) / Double(width), Double(h) / Double(height))
      return (
        max(w, Int((Double(width) * scale).rounded())), max(h, Int((Double(height) * scale).rounded()))
      )
    }
  }
}
