// One recording session: the room, the light, the camera, and how the head moves. Identity and words come from elsewhere.

import Glibc

/// Everything about a recording that is neither the person nor the words.
struct Take {
  static let pictureCount = 50

  var wall: SIMD3<Float>
  var accent: SIMD3<Float>
  var background: Int
  var backgroundSeed: Float
  var light: SIMD2<Float>
  var lightStrength: Float
  var tint: SIMD3<Float>
  var noise: Float
  /// Brightness of each picture: lamps flicker, and cameras correct their exposure.
  var exposure: [Float]
  var poses: [HeadPose]
  /// 0 open, 1 shut, one per picture.
  var blink: [Float]
  var gaze: [SIMD2<Float>]

  init(seed: UInt64, pair: Int, recording: SampleClip.Recording, mouth: [(opening: Float, rounding: Float)]) {
    var r = Randomness(seed: seed, "take", pair, recording.member, recording.take)
    let tone = r.uniform(0.25, 0.8)
    wall = SIMD3(tone + r.uniform(-0.14, 0.14), tone + r.uniform(-0.1, 0.1), tone + r.uniform(-0.14, 0.14))
    accent = SIMD3(r.uniform(0.1, 0.9), r.uniform(0.1, 0.9), r.uniform(0.1, 0.9))
    background = r.index(4)
    backgroundSeed = r.uniform(0, 100)
    light = SIMD2(r.uniform(-1, 1), r.uniform(-0.9, -0.1))
    lightStrength = r.uniform(0.08, 0.26)
    let bright = r.uniform(0.82, 1.08), warmth = r.uniform(-0.06, 0.06)
    tint = SIMD3(bright * (1 + warmth), bright, bright * (1 - warmth))
    noise = r.uniform(0.014, 0.024)

    let centre = SIMD2<Float>(80 + r.uniform(-9, 9), 74 + r.uniform(-5, 6)), size = r.uniform(42, 49)
    let tilt = r.uniform(-0.07, 0.07), turn = r.uniform(-0.4, 0.4), nod = r.uniform(-0.25, 0.25)
    let amounts: [Float] = [r.uniform(1.5, 4.5), r.uniform(0.8, 2.6), r.uniform(0.02, 0.06), r.uniform(0.1, 0.4), 0.18]
    let rates = (0..<8).map { _ in r.uniform(0.25, 1.1) }
    let phases = (0..<8).map { _ in r.uniform(0, 2 * .pi) }
    let shake = r.uniform(0, 0.3), flicker = r.uniform(0, 0.014)
    exposure = (0..<Take.pictureCount).map { _ in 1 + flicker * r.normal() }
    func wave(_ k: Int, _ t: Float) -> Float { sinf(2 * .pi * rates[k] * t + phases[k]) }
    poses = (0..<Take.pictureCount).map { i in
      let t = Float(i) / 25
      return HeadPose(
        x: centre.x + amounts[0] * (0.7 * wave(0, t) + 0.3 * wave(1, 2 * t)) + shake * r.normal(),
        // People nod a little where they are loud.
        y: centre.y + amounts[1] * (0.7 * wave(2, t) + 0.3 * wave(3, 2 * t)) + 0.8 * mouth[i].opening + shake
          * r.normal(),
        scale: size * (1 + 0.018 * wave(4, t)), roll: tilt + amounts[2] * wave(5, t),
        yaw: turn + amounts[3] * wave(6, t), pitch: nod + amounts[4] * wave(7, t))
    }
    var lids = [Float](repeating: 0, count: Take.pictureCount)
    var at = r.uniform(3, 28)
    while at < 50 {
      for i in lids.indices { lids[i] = max(lids[i], 1 - min(1, abs(Float(i) - at) / 3)) }
      at += r.uniform(16, 45)
    }
    blink = lids.map { min(1, $0 * 1.4) }
    var look = SIMD2<Float>(r.uniform(-0.3, 0.3), r.uniform(-0.15, 0.15))
    var looks: [SIMD2<Float>] = []
    for _ in 0..<Take.pictureCount {
      if r.chance(0.04) { look = SIMD2(r.uniform(-0.4, 0.4), r.uniform(-0.2, 0.2)) }
      looks.append(look)
    }
    gaze = looks
  }

  /// The empty room.
  func room() -> Canvas {
    var canvas = Canvas()
    let wall = self.wall, accent = self.accent, style = background, shift = backgroundSeed
    canvas.paint { x, y in
      var colour = wall * (1.08 - 0.28 * y / Float(Canvas.side) + 0.1 * self.light.x * (x / 80 - 1))
      switch style {
      case 0:  // a shelf of books, out of focus
        let board = (y + shift).truncatingRemainder(dividingBy: 46) / 46
        if board > 0.14 {
          let column = ((x + shift * 3) / 9).rounded(.down)
          let hue = sinf(column * 12.9898 + shift) * 0.5 + 0.5, height = sinf(column * 4.1 + shift * 2) * 0.12 + 0.3
          if board > height { colour = colour * 0.45 + (accent * hue + SIMD3(0.3, 0.25, 0.2) * (1 - hue)) * 0.5 }
        } else {
          colour *= 0.7
        }
      case 1:  // blinds
        colour *= 0.92 + 0.12 * smoothStep(-0.4, 0.4, sinf(y * 0.42 + shift))
      case 2:  // lamps far behind
        for k in 0..<5 {
          let s = Float(k) * 7.3 + shift
          let centre = SIMD2<Float>(80 + 78 * sinf(s * 1.7), 62 + 60 * sinf(s * 2.9 + 1))
          let away = ((SIMD2(x, y) - centre) * (SIMD2(x, y) - centre)).sum().squareRoot()
          colour += accent * (0.28 * (1 - smoothStep(9 + 4 * sinf(s), 14 + 4 * sinf(s), away)))
        }
      default:  // a picture on the wall
        let left = 12 + shift.truncatingRemainder(dividingBy: 20)
        let right = Float(Canvas.side) - 8 - (shift * 3).truncatingRemainder(dividingBy: 24)
        if y > 10, y < 58, (x > left && x < left + 30) || (x < right && x > right - 34) {
          let inner = y > 14 && y < 54 && ((x > left + 4 && x < left + 26) || (x < right - 4 && x > right - 30))
          colour = inner ? accent * (0.6 + 0.4 * sinf(x * 0.11 + y * 0.07 + shift)) : colour * 0.5
        }
      }
      return withAlpha(colour, 1)
    }
    return canvas
  }
}
