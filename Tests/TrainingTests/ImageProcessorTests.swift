import Faces
import Foundation
import Models
import SafeTensors
import Tensor
import TestSupport
import Testing

@testable import Training

/// Pictures as the reference's image processors give them, from file to network input.
@Suite struct `image processors` {
  private struct Case: Decodable {
    let pictures: [String]
    let step: Int
  }

  static let folder = Fixtures.at("processors")
  static let configs: [JSON] = (try? JSON.read(folder.appending(path: "cases.json")).list) ?? []

  @Test func `give the reference's pixels within one grey level`() throws {
    #expect(Self.configs.count >= 14)
    let expected = try SafeTensorsFile(Self.folder.appending(path: "expected.safetensors"))
    let text = try Data(contentsOf: Self.folder.appending(path: "cases.json"))
    let cases = try JSONDecoder().decode([Case].self, from: text)
    let objects = try #require(try JSONSerialization.jsonObject(with: text) as? [[String: Any]])
    for (index, item) in cases.enumerated() {
      let json = try JSONSerialization.data(withJSONObject: try #require(objects[index]["config"]))
      let processor = try ModelConfiguration(json: json, source: "case \(index)")
      let frames = try ImageProcessor.clip.frames(processor)
      let input = Preprocessing.frames(frames)
      try input.validate()
      for picture in item.pictures {
        let sample = try Preparer(detectors: FaceDetectors()).sample(
          Self.folder.appending(path: "\(picture).png"), input)
        let ours = PartWriter(input: input).scoringBatch(sample).contiguous().floats()
        let theirs = try expected.tensor("\(index)/\(picture)")
        let size = (frames.size + item.step - 1) / item.step
        #expect(theirs.shape == [3, size, size], "case \(index) \(picture)")
        guard theirs.shape == [3, size, size] else { continue }
        var worst: Float = 0
        for (place, value) in theirs.floats().enumerated() {
          let (channel, row, column) = (place / size / size, place / size % size, place % size)
          let found = ours[(channel * frames.size + row * item.step) * frames.size + column * item.step]
          worst = max(worst, abs(found - value) * frames.deviation[channel] * 255)
        }
        // Same bytes, normalised in another order.
        #expect(worst < 0.01, "case \(index) \(picture): \(worst) grey levels")
      }
    }
  }

  @Test(arguments: [
    #"{"image_processor_type": "SamImageProcessor"}"#, #"{"size": {"height": 20, "width": 30}}"#, #"{"resample": 9}"#,
    #"{"image_std": [0, 1, 1]}"#, #"{"size": {"shortest_edge": 99999999}}"#, #"{"size": "large"}"#,
    #"{"do_resize": false, "do_center_crop": false}"#, #"{"rescale_factor": 0}"#,
  ])
  func `refuse what they cannot do`(text: String) throws {
    let processor = try ModelConfiguration(json: Data(text.utf8), source: "preprocessor_config.json")
    #expect(throws: ModelError.self) { try ImageProcessor.clip.frames(processor) }
  }

  @Test func `leave older models' descriptions as they were`() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let old = try encoder.encode(Preprocessing.frames(.init(size: 96)))
    #expect(!String(decoding: old, as: UTF8.self).contains("scaling"))
    let new = Preprocessing.frames(try ImageProcessor.clip.frames(nil))
    #expect(try JSONDecoder().decode(Preprocessing.self, from: encoder.encode(new)) == new)
    let wave = Preprocessing.waveform(.init(hasMask: true))
    #expect(try JSONDecoder().decode(Preprocessing.self, from: encoder.encode(wave)) == wave)
  }
}

@Suite struct `windows of sound` {
  private func windows(_ samples: [Float], _ wave: Preprocessing.Waveform) -> [[Float]] {
    let batch = PartWriter(input: .waveform(wave)).scoringBatch(PreparedSample(samples, shape: [samples.count]))
    let size = batch.count / batch.shape[0]
    let values = batch.floats()
    return (0..<batch.shape[0]).map { Array(values[($0 * size)..<(($0 + 1) * size)]) }
  }

  @Test func `are cut evenly and normalised one by one`() {
    let samples = (0..<100).map { Float($0) }
    let cut = windows(samples, .init(window: 40, maximumWindows: 8, normalises: false))
    #expect(cut.map(\.first) == [0, 30, 60])
    for window in windows(samples, .init(window: 40, maximumWindows: 8)) {
      let mean = window.reduce(0, +) / 40
      let variance = window.reduce(0) { $0 + $1 * $1 } / 40
      #expect(abs(mean) < 1e-5 && abs(variance - 1) < 1e-4)
    }
    #expect(windows(samples, .init(window: 10, maximumWindows: 4, normalises: false)).map(\.first) == [0, 30, 60, 90])
  }

  @Test func `are padded under a mask, or filled by repeating`() {
    let short: [Float] = [1, 2, 3]
    #expect(windows(short, .init(window: 5, normalises: false)) == [[1, 2, 3, 1, 2]])
    let masked = windows(short, .init(window: 5, normalises: false, hasMask: true))
    #expect(masked == [[1, 2, 3, 0, 0, 1, 1, 1, 0, 0]])
    // Only the sound itself is normalised, as the feature extractor does it.
    let scale = 1 / (Float(2) / 3 + 1e-7).squareRoot()
    let normal = windows(short, .init(window: 5, hasMask: true))[0]
    #expect(zip(normal, [-scale, 0, scale, 0, 0, 1, 1, 1, 0, 0]).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test func `of silence stay finite`() {
    #expect(windows([0, 0, 0, 0], .init(window: 4)) == [[0, 0, 0, 0]])
  }
}
