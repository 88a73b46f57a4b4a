import Datasets
import Faces
import Foundation
import Media
import Models
import TestSupport
import Testing

@testable import Training

@Suite struct `preparation` {
  private static let portrait = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/faces/collins.jpg")

  private static var detecting: PrepareSettings {
    get throws {
      var settings = PrepareSettings()
      (settings.faces, settings.size) = (.detect, 64)
      return try settings.withDetectorHash()
    }
  }

  private let plain = [UInt8](repeating: 96, count: 320 * 240 * 3)

  /// A video of the portrait with a second, smaller face where `isDouble`, in `folder`.
  private func video(_ folder: TemporaryFolder, _ name: String, _ frames: [[UInt8]], _ width: Int, _ height: Int) throws
    -> URL
  {
    let file = folder.url.appending(path: name)
    try rawVideo(frames, width: width, height: height, rate: 10).write(to: file)
    return file
  }

  @Test func `scales clips as the weights' processor says, with and without faces`() throws {
    let folder = try TemporaryFolder()
    let picture = try Media.image(at: Self.portrait)
    let file = try video(folder, "a.avi", (0..<6).map { _ in picture.pixels }, 320, 320)
    let text = #"{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 32}, "crop_pct": 0.5}"#
    let lstm = try ModelRegistry.find("lstm").configured(
      by: ModelConfiguration(json: Data(#"{"model_type": "convnext"}"#.utf8), source: "config.json"),
      processor: ModelConfiguration(json: Data(text.utf8), source: "preprocessor_config.json"))
    guard case .clips(var clips) = lstm.preprocessing else { throw ModelError("the LSTM reads no clips") }
    #expect(clips.scaling == .init(.shortSide, side: 64, filter: "bicubic") && clips.size == 32)
    (clips.count, clips.length, clips.rate) = (1, 2, 10)
    let frames = Preprocessing.Frames(count: 1, size: 32, scaling: clips.scaling)
    let preparer = Preparer(detectors: FaceDetectors())
    for prepared in [false, true] {
      func sample(_ input: Preprocessing) throws -> [UInt8] {
        Array(try preparer.sample(file, prepared ? Self.detecting.applied(to: input) : input).bytes)
      }
      let one = try sample(.frames(frames))
      #expect(try sample(.clips(clips)) == one + one)
      var plain = clips
      plain.scaling = nil
      #expect(try sample(.clips(plain)) != one + one)
      #expect(Preprocessing.clips(plain).cacheKey != Preprocessing.clips(clips).cacheKey)
    }
  }

  @Test func `cuts the face out of frames and clips, in a model's size`() throws {
    let folder = try TemporaryFolder()
    let picture = try Media.image(at: Self.portrait)
    let file = try video(folder, "a.avi", (0..<10).map { _ in picture.pixels }, 320, 320)
    let cache = SampleCache(folder.url.appending(path: "cache"))
    let plainInput = Preprocessing.frames(.init(count: 3, size: 48))
    let input = try Self.detecting.applied(to: plainInput)
    guard case .ready(let crops) = try cache.sample(of: ModelSample(file: file), input: input) else {
      Issue.record("no crops")
      return
    }
    #expect(crops.shape == [3, 48, 48, 3] && crops.note.isEmpty)
    // The same picture from the file alone: a face's square of 64, then the model's own scaling.
    let reader = try FaceReader(file, FaceSettings(size: 64), .cascades(), FaceDetectors())
    let expected = try reader.crops(count: 3).picture(1).fitted(.cover(width: 48, height: 48))
    #expect(Array(crops.bytes[(48 * 48 * 3)..<(2 * 48 * 48 * 3)]) == expected.pixels)
    // Whole frames stand under a key of their own, and are others.
    guard case .ready(let whole) = try cache.sample(of: ModelSample(file: file), input: plainInput) else { return }
    #expect(whole != crops)
    // What is kept is what was made.
    #expect(try cache.kept(ModelSample(file: file), input: input) == .ready(crops))
    let clips = try Self.detecting.applied(to: .clips(.init(count: 2, length: 4, rate: 10, size: 32)))
    guard case .ready(let runs) = try cache.sample(of: ModelSample(file: file), input: clips) else {
      Issue.record("no clips")
      return
    }
    #expect(runs.shape == [2, 4, 32, 32, 3])
    guard case .ready(let single) = try cache.sample(of: ModelSample(file: Self.portrait), input: input) else { return }
    #expect(single.shape == [1, 48, 48, 3])
  }

  @Test func `gives a reason where there is no face, or whole frames and a note if asked`() throws {
    let folder = try TemporaryFolder()
    let file = try video(folder, "none.avi", (0..<6).map { _ in plain }, 320, 240)
    let cache = SampleCache(folder.url.appending(path: "cache"))
    let frames = Preprocessing.frames(.init(count: 2, size: 32))
    var settings = try Self.detecting
    for _ in 0..<2 {  // decoded, then from the cache
      #expect(
        try cache.sample(of: ModelSample(file: file), input: settings.applied(to: frames))
          == .failed("no face was found"))
    }
    settings.missing = .frame
    for _ in 0..<2 {
      guard case .ready(let sample) = try cache.sample(of: ModelSample(file: file), input: settings.applied(to: frames))
      else {
        Issue.record("no frames")
        return
      }
      #expect(sample.note.contains("no face was found") && sample.bytes.allSatisfy { abs(Int($0) - 96) <= 1 })
    }
  }

  @Test func `trims silence where a model listens, and nowhere else`() throws {
    let folder = try TemporaryFolder()
    let rate = 16_000
    let samples = (0..<2 * rate).map { index -> Int16 in
      (rate / 2..<rate * 3 / 2).contains(index) ? Int16(9000 * sin(Double(index) / 9)) : Int16(index % 2)
    }
    func number(_ value: Int, _ bytes: Int) -> Data {
      Data((0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
    }
    var wave = Data("RIFF".utf8) + number(36 + 4 * rate, 4) + Data("WAVEfmt ".utf8) + number(16, 4) + number(1, 2)
    wave += number(1, 2) + number(rate, 4) + number(2 * rate, 4) + number(2, 2) + number(16, 2) + Data("data".utf8)
    wave += number(4 * rate, 4) + samples.withUnsafeBytes { Data($0) }
    let file = folder.url.appending(path: "a.wav")
    try wave.write(to: file)
    let cache = SampleCache(folder.url.appending(path: "cache"))
    var settings = PrepareSettings()
    let input = Preprocessing.waveform(.init())
    #expect(settings.applied(to: input) == input)
    settings.trimSilence = true
    func length(_ input: Preprocessing) throws -> Int {
      guard case .ready(let sample) = try cache.sample(of: ModelSample(file: file), input: input) else { return -1 }
      return sample.shape.last!
    }
    #expect(try length(input) == 2 * rate)
    #expect(abs(try length(settings.applied(to: input)) - rate) <= rate / 50)
    settings.silenceMinimumSeconds = 1
    #expect(try length(settings.applied(to: input)) == 2 * rate)
    let mel = Preprocessing.logMel(.init())
    settings.silenceMinimumSeconds = 0.1
    #expect(try length(settings.applied(to: mel)) < length(mel))
    let frames = Preprocessing.frames(.init(size: 32))
    #expect(settings.applied(to: frames) == frames)
  }

  @Test func `is part of what a model file says, of keys and of a job's identity`() throws {
    let frames = Preprocessing.frames(.init(count: 2, size: 32))
    let settings = try Self.detecting
    let prepared = settings.applied(to: frames)
    #expect(try JSONDecoder().decode(Preprocessing.self, from: JSONEncoder().encode(prepared)) == prepared)
    #expect(prepared.faces?.detectorHash == (try DetectorFiles.cascades().hash) && prepared.faces?.margin == 0.3)
    // Model files of inputs without preparation have the bytes that they always had.
    #expect(!(try canonicalJSON(frames)).contains("faces"))
    #expect(!(try canonicalJSON(Preprocessing.logMel(.init()))).contains("trim"))
    #expect(frames.cacheKey == "frames-2x32-r\(SampleCache.revision)")
    var keys = [frames.cacheKey, prepared.cacheKey]
    for change in [
      { $0.margin = 0.2 }, { $0.size = 128 }, { $0.align = false }, { $0.crop = .mouth }, { $0.missing = .frame },
      { $0.smallestFace = 0.2 }, { $0.detectorHash = "other" }, { $0.openCV = "9" },
    ] as [(inout PrepareSettings) -> Void] {
      var other = settings
      change(&other)
      keys.append(other.applied(to: frames).cacheKey)
    }
    #expect(Set(keys).count == keys.count)
    var job = TinyTask.job()
    let before = try job.configurationHash()
    job.input = settings.applied(to: job.input)
    #expect(try job.configurationHash() != before)
    var hostile = prepared
    hostile.faces?.size = 1 << 30
    #expect(throws: ModelError.self) { try hostile.validate() }
    hostile.faces = prepared.faces
    hostile.faces?.crop = "nose"
    #expect(throws: ModelError.self) { try hostile.validate() }
  }

  @Test func `refuses impossible settings`() {
    for (change, key) in [
      ({ $0.margin = -1 }, "margin"), ({ $0.size = 4 }, "size"), ({ $0.smallestFace = 0 }, "smallest_face"),
      ({ $0.detector = "mtcnn" }, "detector"), ({ $0.silenceDecibels = 0 }, "silence_db"),
      ({ $0.silenceMinimumSeconds = -1 }, "silence_minimum_s"),
    ] as [((inout PrepareSettings) -> Void, String)] {
      var settings = PrepareSettings()
      change(&settings)
      let error = #expect(throws: TrainingError.self) { try settings.validate(model: "m") }
      #expect(error?.description.contains("model m: prepare.\(key)") == true)
    }
  }

  @Test func `writes crops with a manifest, and goes on where it was`() throws {
    let folder = try TemporaryFolder()
    let picture = try Media.image(at: Self.portrait)
    _ = try video(folder, "with,comma.avi", (0..<8).map { _ in picture.pixels }, 320, 320)
    _ = try video(folder, "empty.avi", (0..<8).map { _ in plain }, 320, 240)
    try Data("no video".utf8).write(to: folder.url.appending(path: "broken.avi"))
    try FileManager.default.copyItem(at: Self.portrait, to: folder.url.appending(path: "still.jpg"))
    let manifest = folder.url.appending(path: "manifest.csv")
    try """
    path,label,type,audio_label,visual_label,identity,camera
    "with,comma.avi",fake,vocoder,fake,real,anna,front
    empty.avi,real,,,,bert,front
    broken.avi,real,,,,carla,
    still.jpg,fake,swap,,,dora,back
    """.write(to: manifest, atomically: true, encoding: .utf8)
    let source = DataSource(name: "d", layout: "manifest", path: manifest.path)
    let roots = try DataRoots([source])
    let dataset = try Dataset(reading: source).scanned(roots)
    let output = folder.url.appending(path: "out")
    let export = CropExport(
      detector: try .cascades(), crops: [FaceSettings(size: 64), FaceSettings(region: .mouth, size: 32)], frames: 3)
    let first = try export.run(dataset, roots, to: output, threads: 2)
    #expect(first.samples == 4 && first.kept == 0 && first.crops == 8)
    #expect(
      first.reasons.map(\.count) == [1, 1] && first.failures.map(\.sample).sorted() == ["broken.avi", "empty.avi"])
    #expect(first.reasons.contains { $0.reason == "no face was found" })
    let written = try String(contentsOf: output.appending(path: "manifest.csv"), encoding: .utf8)
    // The manifest is one of ours: labels are the picture's, crops of a sample share a source.
    let crops = try Dataset(
      reading: DataSource(name: "c", layout: "manifest", path: output.appending(path: "manifest.csv").path)
    )
    .scanned(DataRoots([DataSource(name: "c", path: output.path)]))
    #expect(crops.samples.count == 8 && crops.samples.allSatisfy { $0.problem == nil && $0.modalities == .image })
    let clip = crops.samples.filter { $0.identity == "anna" }
    #expect(
      clip.count == 6 && clip.allSatisfy { $0.label == .real && $0.source == "with,comma.avi" && $0.type.isEmpty })
    #expect(crops.extraColumns == ["region", "time", "camera"])
    let mouth = try #require(clip.first { $0.extra[0] == "mouth" })
    #expect(try Media.image(at: output.appending(path: mouth.id)).width == 32)

    // Again: nothing but the failure of the file that cannot be opened is looked at.
    let second = try export.run(dataset, roots, to: output, threads: 1)
    #expect(second.kept == 3 && second.crops == 8)
    try FileManager.default.removeItem(at: output.appending(path: clip[0].id))
    let third = try export.run(dataset, roots, to: output, threads: 1)
    #expect(third.kept == 2)
    #expect(try String(contentsOf: output.appending(path: "manifest.csv"), encoding: .utf8) == written)
    var other = export
    other.crops = [FaceSettings(size: 48)]
    let fourth = try other.run(dataset, roots, to: output, threads: 2)
    #expect(fourth.kept == 0 && fourth.crops == 4)
    #expect(!FileManager.default.fileExists(atPath: output.appending(path: mouth.id).path))
  }
}
