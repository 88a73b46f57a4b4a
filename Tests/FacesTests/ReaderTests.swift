import Foundation
import Media
import TestSupport
import Testing

@testable import Faces

@Suite struct `face reader` {
  /// The eyes that the detector finds in a crop, as shares of its side from its middle.
  private func eyes(_ crop: ImagePixels) throws -> (right: Point, left: Point)? {
    let found = try Portrait.detectors.with(Portrait.files) { try $0.faces(in: crop, smallest: 0.3) }
    return found.first?.eyes.map { eyes in
      let half = Point(0.5, 0.5), scale = 1 / Double(crop.width)
      return (eyes.right * scale - half, eyes.left * scale - half)
    }
  }

  @Test func `follows a face that moves and turns, and keeps its eyes in place`() throws {
    // 3 seconds; the face walks through the picture, and its head rolls from -12 to 12 degrees.
    let frames = (0..<30).map { frame in
      Portrait.placed(130 + Double(frame) * 2, 150, turn: -12 + Double(frame) * 24 / 29, scale: 0.9)
    }
    try Portrait.video(frames) { url in
      let reader = try Portrait.reader(url)
      #expect(reader.searched == 15 && reader.otherFaces == 0 && (reader.face?.count ?? 0) >= 10)
      let crops = try reader.crops(count: 8)
      #expect(crops.shape == [8, 224, 224, 3] && crops.times == crops.times.sorted() && Set(crops.times).count == 8)
      // The same middles of eight equal parts that whole frames are taken at.
      let whole = try Media.frames(of: url, count: 8)
      if reader.face!.span.lowerBound < 1e-6 && reader.face!.span.upperBound > 3 - 1e-6 {
        #expect(crops.times == whole.map(\.time))
      }
      var seen = 0
      for index in 0..<8 {
        guard let eyes = try eyes(crops.picture(index)) else { continue }
        seen += 1
        let across = eyes.left - eyes.right
        #expect(abs(across.y / across.x) < 0.12, "crop \(index): eyes \(eyes)")
        let middle = (eyes.left + eyes.right) * 0.5
        #expect(abs(middle.x) < 0.06 && (-0.16 ... -0.01).contains(middle.y), "crop \(index): eyes \(eyes)")
      }
      #expect(seen >= 6)
      // Not aligned, the eyes of the first crop still tilt.
      let tilted = try reader.crops(count: 8, as: FaceSettings(aligns: false)).picture(0)
      if let eyes = try eyes(tilted) { #expect((eyes.left - eyes.right).y < -0.03) }
    }
  }

  @Test func `gives mouths in a row with their times`() throws {
    // A green spot over the mouth shows where it went.
    var pixels = Portrait.picture.pixels
    for y in 140..<148 {
      for x in 127..<141 {
        let at = (y * 320 + x) * 3
        (pixels[at], pixels[at + 1], pixels[at + 2]) = (0, 255, 0)
      }
    }
    let frames = (0..<20).map { frame in
      ImagePixels(width: 320, height: 320, pixels: pixels).square(
        centre: (160 - Double(frame), 160), side: 320, size: 320)
    }
    try Portrait.video(frames, rate: 10) { url in
      let mouths = try Portrait.reader(url).crops(rate: 25, as: FaceSettings(region: .mouth, margin: 0, size: 96))
      #expect(mouths.shape == [50, 96, 96, 3] && mouths.pixels.count == 50 * 96 * 96 * 3)
      #expect(mouths.times == mouths.times.sorted() && mouths.times[0] == 0 && abs(mouths.times[49] - 1.9) < 0.05)
      for index in stride(from: 0, to: 50, by: 7) {
        let picture = mouths.picture(index)
        var (x, y, count) = (0.0, 0.0, 0.0)
        for place in 0..<96 * 96 where picture.pixels[3 * place + 1] > 180 && picture.pixels[3 * place] < 110 {
          (x, y, count) = (x + Double(place % 96), y + Double(place / 96), count + 1)
        }
        try #require(count > 100, "crop \(index)")
        #expect(abs(x / count - 48) < 12 && abs(y / count - 48) < 14, "crop \(index): \(x / count), \(y / count)")
      }
    }
  }

  @Test func `takes the larger of two faces and counts the other`() throws {
    let frame = Portrait.placed(
      400, 150, scale: 0.6, width: 560, height: 300, on: Portrait.placed(150, 180, scale: 1.1, width: 560, height: 300))
    try Portrait.video((0..<8).map { _ in frame }) { url in
      let reader = try Portrait.reader(url)
      #expect(reader.otherFaces == 1)
      let pose = try #require(reader.face).pose(at: 0.4)
      #expect(distance(pose.centre, Portrait.place(Point(134, 115), 150, 180, scale: 1.1)) < 15)
    }
  }

  @Test func `spreads crops over the time in which the face is seen`() throws {
    let (face, empty) = (
      Portrait.placed(160, 140),
      ImagePixels(
        width: 320, height: 240, pixels: [UInt8](repeating: 96, count: 320 * 240 * 3))
    )
    // Seen from second 1 to second 2 of 3.
    try Portrait.video((0..<30).map { (10..<20).contains($0) ? face : empty }) { url in
      let crops = try Portrait.reader(url).crops(count: 4)
      #expect(crops.times.allSatisfy { $0 > 0.85 && $0 < 2.1 } && crops.times.count == 4)
    }
    // One sighting among many frames is no face.
    try Portrait.video((0..<30).map { $0 == 15 ? face : empty }, rate: 10) { url in
      let reader = try Portrait.reader(url)
      #expect(reader.face == nil || reader.face!.count >= 2)
    }
    try Portrait.video((0..<10).map { _ in empty }) { url in
      let reader = try Portrait.reader(url)
      #expect(reader.face == nil && reader.otherFaces == 0)
      let error = #expect(throws: MediaError.self) { try reader.crops(count: 8) }
      #expect(error?.code == .absent && error?.reason == "no face was found")
    }
  }

  @Test func `reads pictures and refuses what is none`() throws {
    let reader = try Portrait.reader(Portrait.folder.appending(path: "collins.jpg"))
    #expect(reader.searched == 1)
    let crops = try reader.crops(count: 8)
    #expect(crops.shape == [1, 224, 224, 3] && crops.times == [0])
    #expect(try eyes(crops.picture(0)) != nil)
    let whole = rawVideo((0..<10).map { _ in Portrait.picture.pixels }, width: 320, height: 320)
    for data in [Data("no video".utf8), whole.prefix(100), Data(), Data(repeating: 0, count: 5000)] {
      try Portrait.file(data, "broken.avi") { url in
        #expect(throws: MediaError.self) { try Portrait.reader(url) }
      }
    }
    // A file that breaks off gives an error, or the frames that are there.
    try Portrait.file(whole.prefix(whole.count / 2), "truncated.avi") { (url: URL) -> Void in
      do {
        #expect(try Portrait.reader(url).crops(count: 4).times.count == 4)
      } catch { #expect((error as? MediaError)?.code == .damaged) }
    }
  }

  @Test func `gives the same bytes on every thread and every visit`() throws {
    let frames = (0..<8).map { Portrait.placed(150 + Double($0), 140, turn: Double($0)) }
    try Portrait.video(frames) { url in
      let first = try Portrait.reader(url).crops(count: 5)
      let detectors = FaceDetectors()
      nonisolated(unsafe) var results: [CropSequence?] = [nil, nil, nil, nil]
      let lock = NSLock()
      DispatchQueue.concurrentPerform(iterations: 4) { index in
        let crops = try? FaceReader(url, FaceSettings(), Portrait.files, detectors).crops(count: 5)
        lock.withLock { results[index] = crops }
      }
      #expect(results.allSatisfy { $0 == first })
    }
  }
}
