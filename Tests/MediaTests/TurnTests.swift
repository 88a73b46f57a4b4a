// Turned squares out of pictures.

import Foundation
import Media
import Testing

@Suite struct `turned squares` {
  /// A picture in which every pixel is different and neighbours are alike.
  private let picture: ImagePixels = {
    var pixels: [UInt8] = []
    for y in 0..<70 { for x in 0..<90 { pixels += [UInt8(2 * x), UInt8(3 * y), UInt8(x + y)] } }
    return ImagePixels(width: 90, height: 70, pixels: pixels)
  }()

  @Test func `of whole pixels are the pixels themselves`() {
    #expect(
      picture.square(centre: (40, 30), side: 20, size: 20) == picture.cropped(x: 30, y: 20, width: 20, height: 20))
  }

  @Test func `by quarter turns are exact`() {
    let plain = picture.cropped(x: 30, y: 20, width: 20, height: 20)
    // Rows along the picture's columns, downwards.
    let turned = picture.square(centre: (40, 30), axis: (0, 5), side: 20, size: 20)
    for y in 0..<20 {
      for x in 0..<20 {
        let (a, b) = ((y * 20 + x) * 3, (x * 20 + 19 - y) * 3)
        #expect(turned.pixels[a..<a + 3] == plain.pixels[b..<b + 3])
      }
    }
    let upsideDown = picture.square(centre: (40, 30), axis: (-1, 0), side: 20, size: 20)
    #expect(Array(upsideDown.pixels.prefix(3)) == Array(plain.pixels.suffix(3)))
  }

  @Test(arguments: [(0.0, 1.0), (0.3, 1), (-0.5, 0.5), (1, 2), (0.2, 3.5)])
  func `have each colour where geometry puts it`(angle: Double, scale: Double) {
    let side = 24.0, size = Int(side * scale)
    let square = picture.square(centre: (45, 35), axis: (cos(angle), sin(angle)), side: side, size: size)
    for y in 0..<size {
      for x in 0..<size {
        let u = (Double(x) + 0.5) / scale - side / 2, v = (Double(y) + 0.5) / scale - side / 2
        // Colours are linear in the place of a pixel's centre.
        let px = 45 + u * cos(angle) - v * sin(angle) - 0.5, py = 35 + u * sin(angle) + v * cos(angle) - 0.5
        let at = (y * size + x) * 3
        #expect(abs(Double(square.pixels[at]) - 2 * px) < 2.1 && abs(Double(square.pixels[at + 1]) - 3 * py) < 3.1)
      }
    }
  }

  @Test func `are black beyond the picture`() {
    let corner = picture.square(centre: (0, 0), side: 40, size: 40)
    #expect(corner.pixels[0..<(19 * 40 * 3)].allSatisfy { $0 == 0 })
    #expect(corner.pixels[(30 * 40 + 30) * 3] > 10)
    for centre in [(x: -500.0, y: 10.0), (x: 10, y: 900)] {
      #expect(picture.square(centre: centre, side: 30, size: 16).pixels.allSatisfy { $0 == 0 })
    }
    let one = ImagePixels(width: 1, height: 1, pixels: [200, 100, 50])
    #expect(one.square(centre: (0.5, 0.5), axis: (1, 1), side: 400, size: 31).pixels.count == 31 * 31 * 3)
    #expect(one.square(centre: (0.5, 0.5), side: 1, size: 1) == one)
  }

  @Test func `that shrink do not alias`() {
    // Stripes of one pixel become grey.
    var pixels: [UInt8] = []
    for place in 0..<128 * 128 { pixels += [UInt8](repeating: place % 2 == 0 ? 255 : 0, count: 3) }
    let stripes = ImagePixels(width: 128, height: 128, pixels: pixels)
    let small = stripes.square(centre: (64, 64), axis: (1, 0.2), side: 80, size: 20)
    #expect(small.pixels.allSatisfy { abs(Int($0) - 127) < 12 })
  }

  @Test func `do not depend on how frames are read`() throws {
    let url = Fixture.cases("video").appending(
      path: try FileManager.default.contentsOfDirectory(
        atPath: Fixture.cases("video").path
      ).filter { $0.hasSuffix(".mp4") }.sorted()[0])
    let reader = try MediaReader(url)
    let whole = try reader.frames(count: 6)
    let made = try reader.frames(count: 6) { picture, time in (picture, time) }
    #expect(made.map(\.value.0) == whole.map(\.image) && made.map(\.time) == whole.map(\.time))
    #expect(made.allSatisfy { $0.value.1 == $0.time })
    let byTime = try reader.frames(times: [0.3, 0.1]) { picture, _ in picture }
    #expect(try byTime.map(\.value) == reader.frames(times: [0.3, 0.1]).map(\.image))
    let last = try reader.clip(from: 0, count: 10_000).last!
    #expect(try reader.videoLength() > last.time && reader.videoLength() < last.time + 0.2)
  }
}
