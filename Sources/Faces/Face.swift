// What a detector says of a face.

/// A point in a picture; (0, 0) is its upper left corner, (width, height) the lower right one.
public struct Point: Sendable, Hashable {
  /// Pixels from the left edge.
  public var x: Double
  /// Pixels from the upper edge.
  public var y: Double

  /// A point.
  public init(_ x: Double, _ y: Double) { (self.x, self.y) = (x, y) }

  static func + (a: Point, b: Point) -> Point { Point(a.x + b.x, a.y + b.y) }
  static func - (a: Point, b: Point) -> Point { Point(a.x - b.x, a.y - b.y) }
  static func * (a: Point, scale: Double) -> Point { Point(a.x * scale, a.y * scale) }

  /// Its distance from (0, 0).
  var length: Double { (x * x + y * y).squareRoot() }
}

/// One face in one picture, in the picture's pixels.
public struct Face: Sendable, Hashable {
  /// Upper left corner of its box.
  public var corner: Point
  /// Width of its box.
  public var width: Double
  /// Height of its box.
  public var height: Double
  /// How sure the detector is, on its own scale.
  public var score: Double
  /// The face's own right eye, on the left of the picture, and its left one; nil where they were not found.
  public var eyes: (right: Point, left: Point)? {
    get { points.count >= 2 ? (points[0], points[1]) : nil }
    set { points = newValue.map { [$0.right, $0.left] } ?? [] }
  }
  /// Middle of the two corners of the mouth; nil where the detector finds none.
  public var mouth: Point? { points.count == 5 ? (points[3] + points[4]) * 0.5 : nil }
  /// Nothing, both eyes, or right eye, left eye, nose, right and left corner of the mouth.
  var points: [Point]

  /// A face from its parts.
  public init(corner: Point, width: Double, height: Double, score: Double = 1, eyes: (right: Point, left: Point)? = nil)
  {
    (self.corner, self.width, self.height, self.score) = (corner, width, height, score)
    points = eyes.map { [$0.right, $0.left] } ?? []
  }

  /// Middle of its box.
  public var centre: Point { corner + Point(width / 2, height / 2) }

  /// The side of a square that stands for its box. YuNet's boxes are higher than wide, and the mean comes near to the
  /// squares of the cascades.
  public var side: Double { (width + height) / 2 }

  /// The common area of two boxes as a share of what they cover together.
  public func overlap(_ other: Face) -> Double {
    let w = min(corner.x + width, other.corner.x + other.width) - max(corner.x, other.corner.x)
    let h = min(corner.y + height, other.corner.y + other.height) - max(corner.y, other.corner.y)
    guard w > 0 && h > 0 else { return 0 }
    return w * h / (width * height + other.width * other.height - w * h)
  }

  /// The same face in a picture that is `scale` times as large.
  func scaled(by scale: Double) -> Face {
    var face = self
    (face.corner, face.width, face.height) = (corner * scale, width * scale, height * scale)
    face.points = points.map { $0 * scale }
    return face
  }
}
