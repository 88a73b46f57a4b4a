// Turned squares: what alignment cuts out of a picture.

import CMedia

extension ImagePixels {
  /// A turned square of the picture, scaled to `size` by `size` pixels, black where it reaches beyond the picture.
  ///
  /// Places are those of pixel edges: (0, 0) is the picture's upper left corner, (width, height) the lower right one.
  /// A square that shrinks is brought to its scale by the filter of `resized` first, so that nothing aliases; then it is
  /// turned, linear between pixels, in fixed point.
  ///
  /// - Parameters:
  ///   - axis: the direction in the picture that the square's rows have; its length does not matter.
  ///   - side: length of the square's sides in pixels of the picture.
  /// - Traps: if a size is not positive, or a place is not finite.
  public func square(
    centre: (x: Double, y: Double), axis: (x: Double, y: Double) = (1, 0), side: Double, size: Int
  ) -> ImagePixels {
    precondition(
      size > 0 && side > 0 && side < 1e9 && abs(centre.x) < 1e9 && abs(centre.y) < 1e9 && (axis.x != 0 || axis.y != 0),
      "ImagePixels: no square of \(side) around \(centre) can be cut.")
    let length = (axis.x * axis.x + axis.y * axis.y).squareRoot()
    let (cosine, sine) = (axis.x / length, axis.y / length)
    // The upright box around the turned square, with a pixel for the filters on every side, as far as there is picture.
    let reach = side / 2 * (abs(cosine) + abs(sine)) + max(1, side / Double(size)) + 1
    let left = max(0, Int((centre.x - reach).rounded(.down))), top = max(0, Int((centre.y - reach).rounded(.down)))
    let right = min(width, Int((centre.x + reach).rounded(.up)))
    let bottom = min(height, Int((centre.y + reach).rounded(.up)))
    guard left < right && top < bottom else {
      return ImagePixels(width: size, height: size, pixels: [UInt8](repeating: 0, count: size * size * 3))
    }
    var part = cropped(x: left, y: top, width: right - left, height: bottom - top)
    let scale = Double(size) / side
    if scale < 1 {
      part = part.resized(
        width: max(1, Int((Double(part.width) * scale).rounded())),
        height: max(1, Int((Double(part.height) * scale).rounded())))
    }
    let (across, down) = (Double(part.width) / Double(right - left), Double(part.height) / Double(bottom - top))
    let step = side / Double(size)
    let first = (Double(size) - 1) / 2 * step
    let (x, y) = (centre.x - first * cosine + first * sine, centre.y - first * sine - first * cosine)
    func fixed(_ value: Double) -> Int64 { Int64((value * 65536).rounded()) }
    let steps = [cosine * across, sine * down, -sine * across, cosine * down].map { fixed(step * $0) }
    return ImagePixels(width: size, height: size) { target in
      part.pixels.withUnsafeBufferPointer { source in
        dk_turn(
          source.baseAddress!, part.width, part.height, target.baseAddress!, size,
          fixed((x - Double(left)) * across - 0.5), fixed((y - Double(top)) * down - 0.5), steps)
      }
    }
  }
}
