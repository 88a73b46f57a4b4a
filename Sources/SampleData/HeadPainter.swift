// Draws one person in one pose: hair behind, neck and clothes, ears, head, features, hair in front.

import Glibc

/// What moves in a face.
struct Expression {
  var opening: Float
  var rounding: Float
  var blink: Float
  var gaze: SIMD2<Float>
}

/// One person, posed and lit.
struct HeadPainter {
  let person: SampleIdentity
  let pose: HeadPose
  let expression: Expression
  let light: SIMD2<Float>
  let lightStrength: Float

  private let cosine: Float
  private let sine: Float
  private let pixel: Float  // head units

  init(_ person: SampleIdentity, _ pose: HeadPose, _ expression: Expression, light: SIMD2<Float>, strength: Float) {
    self.person = person
    self.pose = pose
    self.expression = expression
    self.light = light
    self.lightStrength = strength
    cosine = cosf(pose.roll)
    sine = sinf(pose.roll)
    pixel = 1 / pose.scale
  }

  func paint(on canvas: inout Canvas) {
    paintHairBehind(&canvas)
    paintBody(&canvas)
    paintHead(&canvas)
    paintBeard(&canvas)
    for side: Float in [-1, 1] { paintEye(&canvas, side) }
    paintNose(&canvas)
    paintMouth(&canvas)
    if person.glasses { for side: Float in [-1, 1] { paintGlass(&canvas, side) } }
    paintHairInFront(&canvas)
  }

  // MARK: - Geometry

  /// Features move over the head as it turns; the outline hardly does.
  private var turn: SIMD2<Float> { SIMD2(pose.yaw * 0.15, pose.pitch * 0.10) }
  /// The jaw drops with the mouth.
  private var jawDrop: Float { expression.opening * 0.07 }

  /// Distance to the outline of the face; `grow` widens it.
  @inline(__always)
  private func headDistance(_ p: SIMD2<Float>, grow: Float = 0) -> Float {
    let v = p.y > 0 ? p.y / (1 + jawDrop) : p.y
    let narrow = 1 - person.jaw * smoothStep(0, 1, v) - 0.06 * smoothStep(0.2, 1, -v)
    return ellipseDistance(SIMD2(p.x, v), SIMD2(person.faceWidth * narrow + grow, 1 + grow))
  }

  @inline(__always)
  private func coverage(_ distance: Float) -> Float { min(max(0.5 - distance / pixel, 0), 1) }

  /// Paints in head units inside a circle around `centre`.
  @inline(__always)
  private func paint(
    _ canvas: inout Canvas, _ centre: SIMD2<Float>, reach: Float, _ shade: (_ p: SIMD2<Float>) -> SIMD4<Float>
  ) {
    let at = pose.pixel(centre.x, centre.y, cosine: cosine, sine: sine), r = reach * pose.scale
    canvas.paint(x: (at.x - r)...(at.x + r), y: (at.y - r)...(at.y + r)) { x, y in
      shade(pose.local(x, y, cosine: cosine, sine: sine))
    }
  }

  @inline(__always)
  private func lit(_ colour: SIMD3<Float>, _ p: SIMD2<Float>) -> SIMD3<Float> {
    let round = 1 - 0.16 * (p * p).sum()
    return colour * ((round + lightStrength * (p * light).sum()) * 1.02)
  }

  // MARK: - Parts

  private func strand(_ p: SIMD2<Float>) -> Float {
    0.86 + 0.28 * (0.5 + 0.5 * sinf(p.x * 34 + 3 * sinf(p.y * 5))) * (0.6 + 0.4 * sinf(p.x * 11 + p.y * 7))
  }

  private func paintHairBehind(_ canvas: inout Canvas) {
    switch person.hairStyle {
    case .long:
      paint(&canvas, [0, 0.35], reach: 1.7) { p in
        let width: Float = person.faceWidth + 0.24 + 0.05 * sinf(p.y * 4)
        let d = ellipseDistance(p - SIMD2(0, 0.28), SIMD2(width, 1.42))
        return withAlpha(lit(person.hair, p) * strand(p) * 0.8, coverage(d))
      }
    case .curls:
      paint(&canvas, [0, -0.3], reach: 1.5) { p in
        let d = ellipseDistance(p - SIMD2(0, -0.32), SIMD2(person.faceWidth + 0.33, 0.98))
        let curl = 0.05 * sinf(atan2f(p.y + 0.3, p.x) * 17)
        return withAlpha(lit(person.hair, p) * strand(p * 1.7), coverage(d + curl))
      }
    default: break
    }
  }

  private func paintBody(_ canvas: inout Canvas) {
    // The body stays upright and follows half of the head's way.
    let x0 = 80 + (pose.x - 80) * 0.55, neck = 0.36 * pose.scale, base = 118 + (pose.y - 74) * 0.5
    let skin = person.skin * 0.84
    canvas.paint(x: (x0 - 60)...(x0 + 60), y: (pose.y + pose.scale * 0.5)...160) { x, y in
      let d = abs(x - x0 - (pose.x - x0) * 0.4) - neck
      return withAlpha(skin * (1 - 0.2 * smoothStep(0, neck, abs(x - x0))), 0.5 - d)
    }
    canvas.paint(y: (base - 4)...160) { x, y in
      let dx = (x - x0) / 78, edge = base + 6 + 26 * dx * dx + 12 * smoothStep(0.75, 1, abs(dx))
      let neckline = base + 20 - abs(x - x0) * 0.75
      let inside = min(y - edge, y - neckline)
      var colour = person.clothes * (0.92 + 0.1 * dx * light.x - 0.06 * smoothStep(0.2, 1, abs(dx)))
      if person.collar && y - neckline < 7 && abs(x - x0) < 34 { colour = colour * 0.35 + SIMD3(0.55, 0.55, 0.54) }
      colour *= 0.95 + 0.05 * sinf(x * 0.35 + y * 0.12)
      return withAlpha(colour, inside + 0.5)
    }
  }

  private func paintHead(_ canvas: inout Canvas) {
    for side: Float in [-1, 1] {
      let centre = SIMD2<Float>(side * person.faceWidth - turn.x * 0.5, 0.02)
      paint(&canvas, centre, reach: 0.3) { p in
        let d = ellipseDistance(p - centre, [0.13, 0.22])
        let inner = ellipseDistance(p - centre, [0.07, 0.14])
        return withAlpha(lit(person.skin, p) * (inner < 0 ? 0.74 : 0.9), coverage(d))
      }
    }
    paint(&canvas, [0, 0], reach: 1.15) { p in
      let d = headDistance(p)
      var colour = lit(person.skin, p)
      // Cheeks, and shade towards the outline and under the brow.
      let cheek = SIMD2(abs(p.x - turn.x) - 0.38, p.y - 0.28)
      colour += SIMD3(0.06, -0.01, -0.01) * (1 - smoothStep(0, 0.24, (cheek * cheek).sum().squareRoot()))
      colour *= 1 - 0.22 * smoothStep(-0.16, 0, d)
      let socket = SIMD2(abs(p.x - turn.x) - person.eyeDistance, (p.y - person.eyeHeight - turn.y + 0.03) * 1.3)
      colour *= 1 - 0.10 * (1 - smoothStep(0.08, 0.24, (socket * socket).sum().squareRoot()))
      return withAlpha(colour, coverage(d))
    }
  }

  private func paintBeard(_ canvas: inout Canvas) {
    guard person.beard > 0 else { return }
    paint(&canvas, [0, 0.55], reach: 0.95) { p in
      let q = p - turn * 0.8
      let chin = smoothStep(0.22, 0.42, q.y + 0.32 * abs(q.x))
      let bare = 1 - 0.9 * (1 - smoothStep(0, 0.12, ellipseDistance(q - SIMD2(0, person.mouthHeight), [0.2, 0.05])))
      let stubble = 0.75 + 0.25 * sinf(p.x * 61 + sinf(p.y * 47) * 2)
      let colour = lit(person.hair * 0.9 + person.skin * 0.1, p)
      return withAlpha(colour, person.beard * chin * bare * stubble * coverage(headDistance(p)))
    }
  }

  private func paintEye(_ canvas: inout Canvas, _ side: Float) {
    // The eye on the far side of a turned head is a little narrower.
    let far = 1 - 0.16 * max(0, side * pose.yaw)
    let centre = SIMD2(side * person.eyeDistance, person.eyeHeight) + turn
    let size = person.eyeSize
    let open = max(0.06, (1 - expression.blink) * 0.62)
    paint(&canvas, centre, reach: size * 1.7) { p in
      let q = SIMD2((p.x - centre.x) / far, p.y - centre.y)
      let lid = ellipseDistance(q, SIMD2(size * 1.12, size * (open + 0.16)))
      var colour = SIMD3<Float>(0.20, 0.13, 0.11)
      var alpha = coverage(lid) * 0.85
      let white = coverage(ellipseDistance(q, SIMD2(size, size * open)))
      if white > 0 {
        let look = q - expression.gaze * size * 0.7
        let distance = (look * look).sum().squareRoot()
        var eye = SIMD3<Float>(0.93, 0.92, 0.90) * (0.82 + 0.18 * smoothStep(-size, size * 0.2, q.y))
        eye += (person.iris - eye) * coverage(distance - size * 0.52)
        eye += (SIMD3(0.03, 0.03, 0.03) - eye) * coverage(distance - size * 0.25)
        let glint = look - SIMD2(-0.16 * size + 0.1 * light.x * size, -0.2 * size)
        eye += (SIMD3(1, 1, 1) - eye) * 0.9 * coverage((glint * glint).sum().squareRoot() - size * 0.11)
        colour += (eye - colour) * white
        alpha = max(alpha, white)
      }
      return withAlpha(colour, alpha)
    }
    let brow = centre + SIMD2(0, -person.eyeSize * 1.45 - 0.02 * expression.opening)
    let slope = person.browTilt * side
    paint(&canvas, brow, reach: 0.3) { p in
      let q = SIMD2((p.x - brow.x) / far, p.y - brow.y + slope * (p.x - brow.x) + 1.6 * (p.x - brow.x) * (p.x - brow.x))
      let d = ellipseDistance(q, SIMD2(size * 1.35, person.browWeight))
      return withAlpha(lit(person.hair * 0.85, p), coverage(d) * 0.9)
    }
  }

  private func paintNose(_ canvas: inout Canvas) {
    let tip = SIMD2<Float>(0, person.eyeHeight + person.noseLength + 0.08) + turn * 1.35
    let shadeSide: Float = light.x > 0 ? -1 : 1
    paint(&canvas, tip - SIMD2(0, 0.15), reach: 0.36) { p in
      let q = p - tip
      let bridge = smoothStep(-person.noseLength, -0.02, q.y) * (1 - smoothStep(0, 0.05, q.y))
      let width = person.noseWidth * (0.35 + 0.65 * smoothStep(-person.noseLength, 0, q.y))
      let flank = 1 - smoothStep(0, 0.07, abs(q.x - shadeSide * width))
      let highlight = (1 - smoothStep(0, 0.05, abs(q.x + shadeSide * 0.02))) * bridge
      if highlight > flank * bridge { return withAlpha(person.skin * 1.15 + 0.05, highlight * 0.35) }
      return withAlpha(person.skin * 0.55, flank * bridge * 0.5)
    }
    for side: Float in [-1, 1] {
      let hole = tip + SIMD2(side * person.noseWidth * 0.6, 0.03)
      paint(&canvas, hole, reach: 0.08) { p in
        withAlpha(person.skin * 0.32, 0.8 * coverage(ellipseDistance(p - hole, [0.042, 0.024])))
      }
    }
    paint(&canvas, tip + SIMD2(0, 0.05), reach: 0.16) { p in
      let d = ellipseDistance(p - tip - SIMD2(0, 0.05), SIMD2(person.noseWidth, 0.035))
      return withAlpha(person.skin * 0.6, 0.35 * (1 - smoothStep(-0.03, 0.03, d)))
    }
  }

  private func paintMouth(_ canvas: inout Canvas) {
    let open = expression.opening * 0.17, round = expression.rounding
    let width = person.mouthWidth * (1 - 0.38 * round) * (1 + 0.08 * expression.opening)
    let centre = SIMD2<Float>(0, person.mouthHeight + open * 0.35) + turn * 1.1
    let lip = person.lipWeight * (1 + 0.35 * round)
    paint(&canvas, centre, reach: 0.45) { p in
      // Corners sit a little higher than the middle of a resting mouth.
      let q = SIMD2(p.x - centre.x, p.y - centre.y + 0.25 * (p.x - centre.x) * (p.x - centre.x))
      let outer = coverage(ellipseDistance(q, SIMD2(width, open + lip)))
      guard outer > 0 else { return .zero }
      var colour = lit(person.lips, p) * (q.y > 0 ? 1.08 : 0.88)
      let inner = coverage(ellipseDistance(q, SIMD2(width * 0.84, max(open, 0.010))))
      if inner > 0 {
        var hollow = SIMD3<Float>(0.16, 0.05, 0.05)
        if open > 0.03 && q.y < -open * 0.35 { hollow = SIMD3(0.88, 0.86, 0.82) }
        if open > 0.05 && q.y > open * 0.45 { hollow = SIMD3(0.55, 0.25, 0.25) }
        colour += (hollow - colour) * inner
      }
      return withAlpha(colour, outer)
    }
  }

  private func paintGlass(_ canvas: inout Canvas, _ side: Float) {
    let centre = SIMD2(side * person.eyeDistance * 1.02, person.eyeHeight + 0.02) + turn
    paint(&canvas, centre, reach: 0.42) { p in
      let q = p - centre
      let rim = abs(ellipseDistance(q, [0.235, 0.19])) - 0.022
      // Towards the nose a bridge, towards the ear a temple.
      let bar = max(abs(q.y + 0.03) - 0.016, abs(q.x) < 0.235 ? 1 : abs(q.x) - 0.42)
      return withAlpha([0.10, 0.09, 0.10], coverage(min(rim, bar)))
    }
  }

  private func paintHairInFront(_ canvas: inout Canvas) {
    let style = person.hairStyle
    paint(&canvas, [0, -0.35], reach: 1.35) { p in
      let crown = headDistance(p, grow: style == .curls ? 0.16 : 0.10)
      let across = abs(p.x) / person.faceWidth
      let line: Float =
        switch style {
        case .short: -0.52 + 0.18 * p.x + 0.30 * across * across
        case .long: -0.66 + 0.75 * across * across
        case .fringe: -0.36 + 0.05 * sinf(p.x * 26) + 0.30 * across * across
        case .sides: across > 0.86 ? 0.05 : -2
        case .curls: -0.55 + 0.06 * sinf(p.x * 21) + 0.42 * across * across
        }
      let d = max(crown, (p.y - line) * 0.9)
      let shadow = smoothStep(-0.10, 0.02, d)
      return withAlpha(lit(person.hair, p) * strand(p) * (1 - 0.2 * shadow), coverage(d))
    }
  }
}
