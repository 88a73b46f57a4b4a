import Foundation
import Media
import Testing

@testable import Faces

@Suite struct `face detector` {
  private func faces(_ picture: ImagePixels, _ files: DetectorFiles = Portrait.files) throws -> [Face] {
    try Portrait.detectors.with(files) { try $0.faces(in: picture, smallest: 0.1) }
  }

  @Test(arguments: [(0.0, 1.0), (12, 1), (-12, 1), (0, 0.6), (0, 2.5)])
  func `finds a real face and its eyes, turned and scaled`(turn: Double, scale: Double) throws {
    let side = Int(320 * scale)
    let picture = Portrait.placed(
      Double(side) / 2, Double(side) / 2, turn: turn, scale: scale, width: side, height: side)
    let found = try faces(picture)
    try #require(found.count == 1)
    let eyes = try #require(found[0].eyes)
    let middle = Double(side) / 2
    let tolerance = 7 * scale
    let right = Portrait.place(Portrait.eyes.right, middle, middle, turn: turn, scale: scale)
    let left = Portrait.place(Portrait.eyes.left, middle, middle, turn: turn, scale: scale)
    #expect(
      distance(eyes.right, right) < tolerance && distance(eyes.left, left) < tolerance, "\(eyes), \(right), \(left)")
  }

  @Test func `finds nothing where nothing is`() throws {
    for (width, height) in [(1, 1), (1, 500), (700, 2), (19, 19), (320, 240)] {
      let plain = ImagePixels(width: width, height: height, pixels: [UInt8](repeating: 130, count: width * height * 3))
      #expect(try faces(plain).isEmpty, "\(width)x\(height)")
    }
    var state: UInt32 = 1
    let noise = (0..<320 * 240 * 3).map { _ -> UInt8 in
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt8(state >> 24)
    }
    #expect(try faces(ImagePixels(width: 320, height: 240, pixels: noise)).isEmpty)
  }

  @Test func `finds two faces in a large picture`() throws {
    let one = Portrait.placed(500, 500, scale: 2, width: 2400, height: 1200)
    let both = Portrait.placed(1800, 560, scale: 1.5, width: 2400, height: 1200, on: one)
    let found = try faces(both).sorted { $0.corner.x < $1.corner.x }
    try #require(found.count == 2)
    #expect(distance(found[0].centre, Portrait.place(Point(134, 115), 500, 500, scale: 2)) < 25)
    #expect(distance(found[1].centre, Portrait.place(Point(134, 115), 1800, 560, scale: 1.5)) < 25)
  }

  /// A picture with one green square of 32 pixels, which the networks of the fixtures take for a face.
  private var green: ImagePixels {
    var pixels = [UInt8](repeating: 70, count: 200 * 150 * 3)
    for y in 64..<96 {
      for x in 96..<128 {
        let at = (y * 200 + x) * 3
        (pixels[at], pixels[at + 1], pixels[at + 2]) = (0, 255, 0)
      }
    }
    return ImagePixels(width: 200, height: 150, pixels: pixels)
  }

  @Test(arguments: [("green_2022", 64.0, 64.0), ("green_2023", 40, 48)])
  func `runs networks of both kinds of YuNet`(name: String, width: Double, height: Double) throws {
    let files = try DetectorFiles.yunet(Portrait.folder.appending(path: "\(name).onnx"))
    let found = try faces(green, files)
    try #require(found.count == 1)
    let face = found[0]
    #expect(abs(face.width - width) < 0.01 && abs(face.height - height) < 0.01 && face.score > 0.99)
    #expect(distance(face.centre, Point(112, 80)) < 0.01)
    let eyes = try #require(face.eyes)
    #expect(distance(eyes.right, Point(104, 72)) < 0.01 && distance(eyes.left, Point(120, 72)) < 0.01)
    #expect(distance(try #require(face.mouth), Point(112, 88)) < 0.01)
    #expect(try faces(Portrait.picture, files).isEmpty)
    // A larger picture is shrunk for the network, and its faces are as much larger.
    let twice = try faces(green.resized(width: 1600, height: 1200, filter: .nearest), files)
    #expect(!twice.isEmpty && twice.allSatisfy { $0.width > 99.9 })
  }

  @Test func `says what is wrong with files that are no detectors`() throws {
    let missing = URL(filePath: "/nowhere/yunet.onnx")
    var error = #expect(throws: FaceError.self) { try DetectorFiles.yunet(missing) }
    #expect(error?.description.contains("/nowhere/yunet.onnx") == true)
    error = #expect(throws: FaceError.self) { try DetectorFiles.cascades(in: URL(filePath: "/nowhere")) }
    #expect(error?.description.contains("opencv-data") == true)
    let whole = try Data(contentsOf: Portrait.folder.appending(path: "green_2023.onnx"))
    var damaged = whole
    for index in stride(from: 40, to: damaged.count, by: 97) { damaged[index] ^= 0x55 }
    for data in [Data(), Data("no network".utf8), whole.prefix(2000), damaged] {
      try Portrait.file(data, "broken.onnx") { url in
        let error = #expect(throws: FaceError.self) { try FaceDetector(.yunet(url)) }
        #expect(error?.description.contains("broken.onnx") == true && error?.description.contains("YuNet") == true)
      }
    }
  }

  @Test func `says what is wrong with broken cascades`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-cascades-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (number, text) in [
      "", "<opencv_storage>", "<?xml version=\"1.0\"?><opencv_storage><cascade/></opencv_storage>",
    ]
    .enumerated() {
      for file in Portrait.files.files {
        try text.write(to: folder.appending(path: file.lastPathComponent), atomically: true, encoding: .utf8)
      }
      let files = try DetectorFiles.cascades(in: folder)
      let error = #expect(throws: FaceError.self, "\(number)") { try FaceDetector(files) }
      #expect(error?.description.contains("frontalface") == true)
      // Other files than those that a run began with are told apart before they are used.
      let refused = #expect(throws: FaceError.self) {
        try FaceDetectors(cascades: folder).files(.cascade, hash: Portrait.files.hash)
      }
      #expect(refused?.description.contains("not those that the run began with") == true)
    }
  }

  @Test func `finds networks by their content`() throws {
    let files = try DetectorFiles.yunet(Portrait.folder.appending(path: "green_2022.onnx"))
    let known = try FaceDetectors(networks: [Portrait.folder]).files(.yunet, hash: files.hash)
    #expect(known.files.map(\.lastPathComponent) == ["green_2022.onnx"])
    let error = #expect(throws: FaceError.self) { try FaceDetectors().files(.yunet, hash: files.hash) }
    #expect(error?.description.contains("--detector PATH") == true)
  }
}
