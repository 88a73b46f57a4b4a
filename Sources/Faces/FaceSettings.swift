public import Media

/// Which part of a face is cut out, and how.
public struct FaceSettings: Sendable, Hashable {
  /// The part.
  public enum Region: String, Sendable, Codable, CaseIterable {
    /// The whole face.
    case face
    /// The mouth: a square of half the face's side.
    case mouth
  }

  /// The part.
  public var region: Region
  /// What is added on every side, as a share of the part's side.
  public var margin: Double
  /// Width and height of the crop, in pixels.
  public var size: Int
  /// Turns the crop so that the eyes lie level.
  public var aligns: Bool
  /// The smallest face, as a share of the picture's shorter side.
  public var smallest: Double

  /// Settings from their parts.
  public init(
    region: Region = .face, margin: Double = 0.3, size: Int = 224, aligns: Bool = true, smallest: Double = 0.1
  ) {
    (self.region, self.margin, self.size, self.aligns, self.smallest) = (region, margin, size, aligns, smallest)
  }

  /// The square of a face in its picture.
  ///
  /// - Shapes: `[size, size, 3]`
  public func crop(_ picture: ImagePixels, _ pose: FacePose) -> ImagePixels {
    let centre = region == .face ? pose.centre : pose.mouth
    let side = max(2, pose.side * (region == .face ? 1 : 0.5) * (1 + 2 * margin))
    let axis = aligns ? pose.axis : Point(1, 0)
    return picture.square(centre: (centre.x, centre.y), axis: (axis.x, axis.y), side: side, size: size)
  }
}

/// Crops of one face in order of time.
public struct CropSequence: Sendable, Equatable {
  /// Red, green and blue, crop after crop.
  public let pixels: [UInt8]  // [times.count, size, size, 3]
  /// Width and height of each.
  public let size: Int
  /// When each frame is shown, in seconds from a video's first frame.
  public let times: [Double]

  /// `[T, size, size, 3]`
  public var shape: [Int] { [times.count, size, size, 3] }

  /// One crop.
  public func picture(_ index: Int) -> ImagePixels {
    let count = size * size * 3
    return ImagePixels(width: size, height: size, pixels: Array(pixels[(index * count)..<((index + 1) * count)]))
  }

  init(_ crops: [(value: ImagePixels, time: Double)], size: Int) {
    (self.size, times) = (size, crops.map(\.time))
    var all: [UInt8] = []
    all.reserveCapacity(crops.count * size * size * 3)
    for crop in crops { all += crop.value.pixels }
    pixels = all
  }
}
