// Pictures against the pixels that Pillow decodes.

import Foundation
import Media
import Testing

@Suite struct Images {
  struct Listed: Decodable {
    struct File: Decodable {
      struct Bounds: Decodable {
        let mean_absolute_difference: Double
        let max_absolute_difference: Int
      }
      let file: String
      let tolerance: Bounds?

      enum Keys: String, CodingKey { case file, tolerance }
      init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Keys.self)
        file = try values.decode(String.self, forKey: .file)
        tolerance = try? values.decode(Bounds.self, forKey: .tolerance)  // otherwise the word "exact"
      }
    }
    let files: [File]
  }

  @Test func `reference pictures decode within their tolerance`() throws {
    let folder = Fixture.cases("images")
    let expected = try Tensors(folder.appending(path: "expected.safetensors"))
    let files = try Fixture.json(Listed.self, folder.appending(path: "images.json")).files
    #expect(files.count == 17)
    for file in files {
      let image = try Media.image(at: folder.appending(path: file.file), upright: false)
      #expect(try expected.shape(file.file + "/rgb") == [image.height, image.width, 3])
      let found = difference(image, try expected.bytes(file.file + "/rgb"))
      #expect(found.mean <= file.tolerance?.mean_absolute_difference ?? 0, "\(file.file)")
      #expect(found.largest <= file.tolerance?.max_absolute_difference ?? 0, "\(file.file)")
    }
  }

  @Test(arguments: ["palette_transparent.png", "rgba8.png"])
  func `transparency lies on white where that is asked for`(name: String) throws {
    let folder = Fixture.cases("images")
    let expected = try Tensors(folder.appending(path: "expected.safetensors")).bytes(name + "/rgba")
    let image = try Media.image(at: folder.appending(path: name), onWhite: true)
    #expect(image.pixels.count / 3 == expected.count / 4)
    var isTransparent = false
    for pixel in 0..<image.pixels.count / 3 {
      let alpha = Double(expected[4 * pixel + 3]) / 255
      isTransparent = isTransparent || alpha < 1
      for channel in 0..<3 {
        let blended = Double(expected[4 * pixel + channel]) * alpha + 255 * (1 - alpha)
        #expect(abs(Double(image.pixels[3 * pixel + channel]) - blended) <= 0.51)
      }
    }
    #expect(isTransparent)
  }

  @Test func `a transparent colour of grey and of RGB becomes white as in the reference`() throws {
    let folder = Fixture.committed.appending(path: "transparency")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".png") }
    #expect(names.count == 19)
    var changed = 0
    for name in names {
      let expected = [UInt8](
        try Data(contentsOf: folder.appending(path: name).deletingPathExtension().appendingPathExtension("rgb")))
      #expect(try Media.image(at: folder.appending(path: name), onWhite: true).pixels == expected, "\(name)")
      // Elsewhere the colour is one like others.
      if try Media.image(at: folder.appending(path: name)).pixels != expected { changed += 1 }
    }
    #expect(changed >= 6)
  }

  @Test func `EXIF orientation turns the picture upright`() throws {
    let folder = Fixture.cases("images")
    let image = try Media.image(at: folder.appending(path: "420_orientation.jpg"))
    let expected = try Tensors(folder.appending(path: "expected.safetensors"))
    #expect([image.height, image.width, 3] == (try expected.shape("420_orientation.jpg/rgb_upright")))
    #expect(difference(image, try expected.bytes("420_orientation.jpg/rgb_upright")).largest <= 15)
    let facts = try Media.facts(of: folder.appending(path: "420_orientation.jpg"))
    #expect(facts.kind == .image && facts.width == image.width && facts.height == image.height)
  }

  struct Pillow: Decodable {
    struct File: Decodable {
      let file: String
      let max_absolute_difference: Int
    }
    struct Resized: Decodable {
      let tensor: String
      let filter: ResizeFilter
      let width: Int
      let height: Int
    }
    let files: [File]
    let refused: [String]
    let resized: [Resized]
  }
  let folder = Fixture.committed.appending(path: "pillow")
  let listed: Pillow
  let tensors: Tensors

  init() throws {
    listed = try Fixture.json(Pillow.self, folder.appending(path: "pillow.json"))
    tensors = try Tensors(folder.appending(path: "expected.safetensors"))
  }

  @Test func `other formats, depths and orientations give Pillow's pixels`() throws {
    for file in listed.files {
      let url = folder.appending(path: file.file)
      let image = try Media.image(at: url)
      #expect([image.height, image.width, 3] == (try tensors.shape(file.file + "/rgb")), "\(file.file)")
      #expect(
        difference(image, try tensors.bytes(file.file + "/rgb")).largest <= file.max_absolute_difference,
        "\(file.file)")
      let facts = try Media.facts(of: url)
      #expect(facts.width == image.width && facts.height == image.height, "\(file.file)")
      #expect(facts.kind == .image && !facts.hasAudio && !facts.hasVideo && facts.duration == nil, "\(file.file)")
    }
  }

  @Test func `pictures that are not one picture are refused`() throws {
    for name in listed.refused {
      #expect(throws: MediaError.self) { try Media.image(at: folder.appending(path: name)) }
    }
  }

  @Test func `resizing gives Pillow's bytes`() throws {
    let shape = try tensors.shape("resize/source")
    let source = ImagePixels(width: shape[1], height: shape[0], pixels: try tensors.bytes("resize/source"))
    #expect(listed.resized.count >= 36)
    for wanted in listed.resized {
      let image = source.resized(width: wanted.width, height: wanted.height, filter: wanted.filter)
      #expect(image.width == wanted.width && image.height == wanted.height)
      #expect(difference(image, try tensors.bytes(wanted.tensor)).largest == 0, "\(wanted.tensor)")
    }
  }

  @Test func `fitting keeps the aspect ratio where it says so`() {
    let image = ImagePixels(width: 60, height: 40, pixels: [UInt8](repeating: 9, count: 7200))
    func size(_ fit: Fit) -> [Int] { [image.fitted(fit).width, image.fitted(fit).height] }
    #expect(size(.original) == [60, 40])
    #expect(size(.exact(width: 10, height: 10)) == [10, 10])
    #expect(size(.shortSide(20)) == [30, 20])
    #expect(size(.cover(width: 20, height: 20)) == [20, 20])
    #expect(size(.cover(width: 61, height: 10)) == [61, 10])
    #expect(image.fitted(.cover(width: 20, height: 20)).pixels.allSatisfy { $0 == 9 })
  }

  @Test func `cropping and mirroring move pixels`() {
    let image = ImagePixels(width: 3, height: 2, pixels: (0..<18).map { UInt8($0) })
    #expect(image.mirrored().pixels[0..<6] == [6, 7, 8, 3, 4, 5])
    #expect(image.cropped(x: 1, y: 1, width: 2, height: 1).pixels == [12, 13, 14, 15, 16, 17])
    #expect(image.centreCropped(width: 1, height: 9).pixels == [3, 4, 5, 12, 13, 14])
  }
}
