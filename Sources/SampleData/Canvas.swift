// A picture of floating-point colours and the one way to draw on it: paint a box, pixel by pixel, with colour and coverage.

/// RGB in 0...1 (the fourth lane is unused), row by row.
struct Canvas {
  static let side = 160

  var pixels = [SIMD4<Float>](repeating: .zero, count: Canvas.side * Canvas.side)

  /// Paints colour (x, y, z) with coverage (w) wherever `shade` says so inside the box, given the pixel's centre.
  @inline(__always)
  mutating func paint(
    x: ClosedRange<Float> = 0...Float(side), y: ClosedRange<Float> = 0...Float(side),
    _ shade: (_ x: Float, _ y: Float) -> SIMD4<Float>
  ) {
    let left = max(0, Int(x.lowerBound) - 1), right = min(Canvas.side, Int(x.upperBound) + 2)
    let top = max(0, Int(y.lowerBound) - 1), bottom = min(Canvas.side, Int(y.upperBound) + 2)
    guard left < right, top < bottom else { return }
    pixels.withUnsafeMutableBufferPointer { pixels in
      for row in top..<bottom {
        let line = row * Canvas.side
        for column in left..<right {
          let colour = shade(Float(column) + 0.5, Float(row) + 0.5)
          guard colour.w > 0 else { continue }
          let before = pixels[line + column]
          pixels[line + column] = before + (colour - before) * colour.w
        }
      }
    }
  }

  /// Adds what a sensor adds: noise that grows with light, mostly of brightness, a little of colour.
  mutating func addSensorNoise(_ deviation: Float, _ r: inout Randomness) {
    pixels.withUnsafeMutableBufferPointer { pixels in
      for i in pixels.indices {
        let light = max(0.05, pixels[i].x * 0.3 + pixels[i].y * 0.6 + pixels[i].z * 0.1)
        let strength = deviation * (0.4 + 0.9 * light.squareRoot())
        let shared = r.normal()
        pixels[i] += SIMD4(shared + 0.5 * r.normal(), shared, shared + 0.7 * r.normal(), 0) * strength
      }
    }
  }
}

/// Where a head is, and how it is turned.
struct HeadPose {
  var x: Float
  var y: Float
  /// Pixels of one head unit (half the height of the face).
  var scale: Float
  var roll: Float
  /// Turn to the side and nod, about -1...1.
  var yaw: Float
  var pitch: Float

  /// Head units of a pixel.
  @inline(__always)
  func local(_ px: Float, _ py: Float, cosine: Float, sine: Float) -> SIMD2<Float> {
    let dx = (px - x) / scale, dy = (py - y) / scale
    return SIMD2(dx * cosine + dy * sine, dy * cosine - dx * sine)
  }

  /// Pixel of a point in head units.
  @inline(__always)
  func pixel(_ u: Float, _ v: Float, cosine: Float, sine: Float) -> SIMD2<Float> {
    SIMD2(x + (u * cosine - v * sine) * scale, y + (u * sine + v * cosine) * scale)
  }
}

/// Distance to an ellipse around the origin, in the units of `p`; negative inside. Exact enough near the edge.
@inline(__always)
func ellipseDistance(_ p: SIMD2<Float>, _ radii: SIMD2<Float>) -> Float {
  let a = p / radii, b = a / radii
  let k0 = (a * a).sum().squareRoot(), k1 = (b * b).sum().squareRoot()
  return k1 < 1e-6 ? -min(radii.x, radii.y) : k0 * (k0 - 1) / k1
}

/// 0 below `low`, 1 above `high`, smooth between.
@inline(__always)
func smoothStep(_ low: Float, _ high: Float, _ value: Float) -> Float {
  let t = min(max((value - low) / (high - low), 0), 1)
  return t * t * (3 - 2 * t)
}

@inline(__always)
func withAlpha(_ colour: SIMD3<Float>, _ alpha: Float) -> SIMD4<Float> {
  SIMD4(colour.x, colour.y, colour.z, min(max(alpha, 0), 1))
}
