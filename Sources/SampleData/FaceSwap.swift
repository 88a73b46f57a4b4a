// The face of the pair's other person blended into a recording, with what real swaps leave: a face that was made at a low
// resolution and enlarged, colours that only nearly match, a soft seam, and a place and brightness that tremble from
// picture to picture.

/// What one swap does to every picture of its clip.
struct FaceSwap {
  /// Side of the square that the face is made at, and of the part of the picture that it stands for, in head units.
  private static let made = 40
  private static let span: Float = 2.3

  private let offset: SIMD4<Float>
  private let match: Float
  private let softness: Float
  private let size: SIMD2<Float>
  /// Deviations of place (pixels) and of brightness from picture to picture.
  private let unrest: Float
  private let unevenness: Float

  init(_ r: inout Randomness) {
    // The mismatch has a random direction and a size that is never small: brightness, and warmth against coolness.
    let brightness = r.sign() * r.uniform(0.07, 0.13), warmth = r.sign() * r.uniform(0.03, 0.06)
    offset = SIMD4(brightness + warmth, brightness, brightness - warmth, 0)
    match = r.uniform(0.6, 0.85)
    softness = r.uniform(0.03, 0.07)
    unrest = r.uniform(0.15, 0.5)
    unevenness = r.uniform(0.005, 0.018)
    size = SIMD2(r.uniform(0.60, 0.68), r.uniform(0.70, 0.78))
  }

  /// Blends the face of `borrowed` (drawn in the same pose) into `canvas`.
  func blend(
    _ borrowed: Canvas, into canvas: inout Canvas, pose: HeadPose, cosine: Float, sine: Float,
    _ r: inout Randomness
  ) {
    let tremble = SIMD2<Float>(r.normal(), r.normal()) * unrest
    let flicker = 1 + unevenness * r.normal()
    let reach = FaceSwap.span / 2 * pose.scale
    let origin = SIMD2(pose.x - reach, pose.y + 0.1 * pose.scale - reach)
    let step = 2 * reach / Float(FaceSwap.made)
    let small = shrunk(borrowed, origin, step)
    let (theirs, ours) = (mean(small, step, pose), mean(shrunk(canvas, origin, step), step, pose))
    let centre = SIMD2<Float>(0, 0.14)
    canvas.paint(x: (pose.x - reach)...(pose.x + reach), y: origin.y...(origin.y + 2 * reach)) { x, y in
      let p = pose.local(x - tremble.x, y - tremble.y, cosine: cosine, sine: sine) - centre
      let alpha = 1 - smoothStep(-self.softness, self.softness, ellipseDistance(p, self.size))
      guard alpha > 0 else { return .zero }
      let at = (SIMD2(x, y) - tremble - origin) / step - 0.5
      var colour = FaceSwap.sample(small, at)
      colour = ((colour - theirs) * 0.92 + theirs + (ours - theirs) * self.match + self.offset) * flicker
      colour.w = alpha
      return colour
    }
  }

  /// The square at `origin` as `made` by `made` averages of `step` by `step` pixels.
  private func shrunk(_ canvas: Canvas, _ origin: SIMD2<Float>, _ step: Float) -> [SIMD4<Float>] {
    (0..<(FaceSwap.made * FaceSwap.made)).map { i in
      let x = origin.x + Float(i % FaceSwap.made) * step, y = origin.y + Float(i / FaceSwap.made) * step
      var sum = SIMD4<Float>.zero
      for dy in 0..<3 {
        for dx in 0..<3 {
          let column = Int((x + (Float(dx) + 0.5) * step / 3).rounded(.down))
          let row = Int((y + (Float(dy) + 0.5) * step / 3).rounded(.down))
          sum +=
            canvas.pixels[
              min(max(row, 0), Canvas.side - 1) * Canvas.side + min(max(column, 0), Canvas.side - 1)]
        }
      }
      return sum / 9
    }
  }

  /// Mean colour of the middle of the face.
  private func mean(_ small: [SIMD4<Float>], _ step: Float, _ pose: HeadPose) -> SIMD4<Float> {
    var sum = SIMD4<Float>.zero
    let low = FaceSwap.made * 3 / 10, high = FaceSwap.made * 7 / 10
    for row in low..<high { for column in low..<high { sum += small[row * FaceSwap.made + column] } }
    return sum / Float((high - low) * (high - low))
  }

  @inline(__always)
  private static func sample(_ small: [SIMD4<Float>], _ at: SIMD2<Float>) -> SIMD4<Float> {
    let x = min(max(at.x, 0), Float(made) - 1.001), y = min(max(at.y, 0), Float(made) - 1.001)
    let column = Int(x), row = Int(y), fx = x - Float(column), fy = y - Float(row), i = row * made + column
    let top = small[i] * (1 - fx) + small[i + 1] * fx
    let bottom = small[i + made] * (1 - fx) + small[i + made + 1] * fx
    return top * (1 - fy) + bottom * fy
  }
}
