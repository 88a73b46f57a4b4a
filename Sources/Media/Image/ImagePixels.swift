// A decoded picture as plain bytes, and the geometry that model input needs.

import CMedia

/// A picture: 8-bit RGB, rows from the top, interleaved, without padding.
public struct ImagePixels: Sendable, Equatable {
  /// Pixels of a row.
  public let width: Int
  /// Rows.
  public let height: Int
  /// Red, green and blue of every pixel.
  public let pixels: [UInt8]  // [height, width, 3]

  /// A picture of given pixels.
  ///
  /// - Shapes: `pixels [height, width, 3]`
  /// - Traps: if the sizes differ.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0, "ImagePixels: \(width)x\(height) is no picture.")
    precondition(
      pixels.count == width * height * 3,
      "ImagePixels: \(pixels.count) bytes for \(width)x\(height) RGB pixels.")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  init(width: Int, height: Int, filledBy fill: (UnsafeMutableBufferPointer<UInt8>) throws -> Void) rethrows {
    self.width = width
    self.height = height
    pixels = try [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, count in
      try fill(UnsafeMutableBufferPointer(rebasing: buffer[..<(width * height * 3)]))
      count = width * height * 3
    }
  }

  /// The part of the picture from (`x`, `y`), `width` by `height` pixels.
  ///
  /// - Traps: if the part is empty or reaches over an edge.
  public func cropped(x: Int, y: Int, width: Int, height: Int) -> ImagePixels {
    precondition(
      x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= self.width && y + height <= self.height,
      "ImagePixels: \(width)x\(height) at (\(x), \(y)) is not inside \(self.width)x\(self.height).")
    return ImagePixels(width: width, height: height) { target in
      pixels.withUnsafeBufferPointer { source in
        for row in 0..<height {
          let from = source.baseAddress! + ((y + row) * self.width + x) * 3
          (target.baseAddress! + row * width * 3).update(from: from, count: width * 3)
        }
      }
    }
  }

  /// The middle of the picture, at most `width` by `height` pixels.
  public func centreCropped(width: Int, height: Int) -> ImagePixels {
    let (w, h) = (min(width, self.width), min(height, self.height))
    return cropped(x: (self.width - w) / 2, y: (self.height - h) / 2, width: w, height: h)
  }

  /// The middle `width` by `height` pixels; where the picture is smaller, it lies in the middle of black ones.
  public func middle(width: Int, height: Int) -> ImagePixels {
    let part = centreCropped(width: width, height: height)
    if part.width == width && part.height == height { return part }
    // An odd pixel of padding goes in front, as the reference's processors have it.
    let (left, top) = ((width - part.width + 1) / 2, (height - part.height + 1) / 2)
    return ImagePixels(width: width, height: height) { target in
      target.update(repeating: 0)
      part.pixels.withUnsafeBufferPointer { source in
        for row in 0..<part.height {
          let to = target.baseAddress! + ((top + row) * width + left) * 3
          to.update(from: source.baseAddress! + row * part.width * 3, count: part.width * 3)
        }
      }
    }
  }

  /// The picture mirrored left to right.
  public func mirrored() -> ImagePixels { oriented(2) }

  /// The picture as an EXIF orientation (1 to 8) says it is to be seen; other values leave it as it is.
  func oriented(_ orientation: Int) -> ImagePixels {
    guard (2...8).contains(orientation) else { return self }
    let (w, h) = orientation >= 5 ? (height, width) : (width, height)
    return ImagePixels(width: w, height: h) { target in
      pixels.withUnsafeBufferPointer { source in
        // The step in the source for one pixel to the right and one row down in the target.
        let (x, y) = (3, 3 * width)
        let (right, bottom) = ((width - 1) * x, (height - 1) * y)
        let (start, across, down) =
          switch orientation {
          case 2: (right, -x, y)
          case 3: (right + bottom, -x, -y)
          case 4: (bottom, x, -y)
          case 5: (0, y, x)
          case 6: (bottom, -y, x)
          case 7: (right + bottom, -y, -x)
          default: (right, y, -x)
          }
        var out = target.baseAddress!
        for row in 0..<h {
          var from = source.baseAddress! + start + row * down
          for _ in 0..<w {
            out[0] = from[0]
            out[1] = from[1]
            out[2] = from[2]
            out += 3
            from += across
          }
        }
      }
    }
  }
}
