public import Foundation

/// Scores files with a finished run or with one model file, exactly as the evaluation scored its samples.
public protocol Predictor {
  /// What is said of one file. A file that cannot be decoded is a prediction with a reason.
  ///
  /// - Throws: when the file is missing, or the run or model is damaged.
  func predict(_ file: URL) throws -> Prediction
  /// What may make scores differ from the evaluation's on this machine; usually empty.
  var warnings: [String] { get }
}

/// The predictor of a run directory or of a model file.
///
/// - Parameters:
///   - fusion: the fusion or model that decides; by default the fusion with the best validation score.
///   - detectors: ONNX files, or folders of them, that the models' face detector may be in; a run directory has its own.
/// - Throws: when there is no such run, model or fusion.
public func predictor(at url: URL, fusion: String? = nil, detectors: [URL] = []) throws -> any Predictor {
  var isFolder: ObjCBool = false
  guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
    throw PredictionFailed(
      description: "\(url.path): there is no such run or model; name a run directory or a .safetensors file")
  }
  return isFolder.boolValue
    ? try RunPredictor(url, decider: fusion, detectors: detectors)
    : try ModelPredictor(url, detectors: detectors)
}

/// Why nothing can be predicted.
struct PredictionFailed: Error, CustomStringConvertible { let description: String }
