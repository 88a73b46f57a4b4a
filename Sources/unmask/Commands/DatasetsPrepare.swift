import ArgumentParser
import Datasets
import Faces
import Files
import Foundation
import Training

struct DatasetsPrepare: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prepare",
    abstract: "Find the main face of every picture and video, and write its crops with a manifest that names them.",
    discussion: """
      Experiments need no crops on disk: `prepare: {faces: detect}` does the same inside a run. The same command again \
      prepares only what is missing. DIR/failures.csv has a line for each sample without crops, with the reason.

      Example: unmask datasets prepare data/clips/manifest.csv --output data/crops --crop face --crop mouth
               unmask datasets stats data/crops
      """)

  /// What can be cut out: the names of `FaceSettings.Region`.
  enum Part: String, ExpressibleByArgument, CaseIterable { case face, mouth }

  @OptionGroup var data: DataArguments

  @Option(help: "The folder that crops, manifest.csv and failures.csv are written to.")
  var output: String

  @Option(help: "What is cut out: face or mouth; may be given twice.")
  var crop: [Part] = [.face]

  @Option(help: "cascade (OpenCV's own), or the path of a YuNet .onnx file.")
  var detector = "cascade"

  @Option(help: "What is added on every side, as a share of the part's side.")
  var margin = 0.3

  @Option(help: "Width and height of a crop, in pixels.")
  var size = 224

  @Flag(inversion: .prefixedNo, help: "Turn crops so that the eyes lie level.")
  var align = true

  @Option(help: "The smallest face, as a share of the picture's shorter side.")
  var smallestFace = 0.1

  @Option(help: "Crops of each part that a video gives, evenly spaced.")
  var frames = 8

  @Option(help: "Crops a second instead, e.g. 25 for a lip-sync model; 30 seconds at most.")
  var rate: Double?

  @Option(help: "Files at a time; by default one a processor.")
  var threads: Int?

  func validate() throws {
    guard (1...1000).contains(frames) else { throw ValidationError("--frames must be between 1 and 1000") }
    if let rate, !(rate > 0 && rate <= 120) { throw ValidationError("--rate must be above 0 and at most 120") }
    if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be between 1 and 256") }
    guard Set(crop).count == crop.count else { throw ValidationError("--crop names the same part twice") }
    do { try settings.validate() } catch {
      throw ValidationError(
        "\(error)".replacing("prepare.", with: "--").replacing("smallest_face", with: "smallest-face"))
    }
  }

  private var settings: PrepareSettings {
    var settings = PrepareSettings()
    (settings.faces, settings.detector, settings.margin, settings.size) = (.detect, detector, margin, size)
    (settings.align, settings.smallestFace) = (align, smallestFace)
    return settings
  }

  func run() throws {
    let files = try settings.withDetectorHash().detectorFiles()!
    let sources = try data.sources()
    let sets = try sources.map { try Dataset(reading: $0) }
    let roots = try DataRoots(sources)
    let looking = ProgressLine("looking at files")
    let dataset = try Dataset(joining: sets).scanned(roots, progress: looking.update)
    let export = CropExport(
      detector: files,
      crops: crop.map {
        FaceSettings(
          region: .init(rawValue: $0.rawValue)!, margin: margin, size: size, aligns: align, smallest: smallestFace)
      }, frames: frames, rate: rate)
    let folder = URL(filePath: output)
    try makeFolder(folder)
    let line = ProgressLine("preparing")
    let start = ContinuousClock.now
    let outcome = try export.run(
      dataset, roots, to: folder, threads: threads ?? ProcessInfo.processInfo.activeProcessorCount
    ) { done, all in
      let seconds = max(1e-3, (ContinuousClock.now - start) / .seconds(1))
      let speed = (Double(done.samples - done.kept) / seconds * 10).rounded() / 10
      let reasons = done.reasons.prefix(3).map { "\($0.reason) \($0.count)" }.joined(separator: ", ")
      line.update(
        done.samples, all,
        ", \(speed) files/s, \(done.kept) were there"
          + (done.failures.isEmpty ? "" : ", \(done.failures.count) failed: \(reasons)"))
    }
    if data.options.json { try printJSON(outcome) } else { show(outcome) }
    guard outcome.crops > 0 else {
      throw DatasetError(
        output,
        "none of \(counted(outcome.samples, "sample")) gave a crop; failures.csv there says why, --smallest-face and "
          + "--detector may help")
    }
  }

  private func show(_ outcome: CropExport.Outcome) {
    print(
      "\(counted(outcome.crops, "crop")) of \(outcome.samples - outcome.failures.count) of "
        + "\(counted(outcome.samples, "sample")) in \(output), "
        + "\(outcome.kept) samples were there; in \(outcome.withOtherFaces) other faces were seen beside the main one")
    for reason in outcome.reasons { print("failed, \(reason.count): \(reason.reason)") }
    print("manifest: \(URL(filePath: output).appending(path: "manifest.csv").path)")
  }
}
