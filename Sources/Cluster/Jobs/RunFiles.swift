import Foundation

/// The names of a run's files, relative to the run directory: artifact names are the same paths.
///
/// Everything under `Models/`, `Scores/`, `Results/` and `folds.csv` has the same bytes for any number of workers;
/// `Work/` holds the parts that the merged files are made from, and the times.
enum RunFiles {
  static let experiment = "experiment.json"
  static let samples = "samples.csv"
  static let folds = "folds.csv"
  static let experimentYAML = "experiment.yaml"
  static let summary = "Work/summary.txt"

  /// A YuNet face detector, kept with the models that were trained on what it found.
  static func detector(_ hash: String) -> String { "\(detectors)/\(hash.prefix(16)).onnx" }
  static let detectors = "Models/detectors"

  static func prepared(_ part: Int) -> String { "Work/prepared/part-\(part).json" }
  static func model(_ name: String, _ fold: Int) -> String { "Models/\(name)/fold-\(fold).safetensors" }
  static func best(_ name: String) -> String { "Models/best_\(name).safetensors" }
  static func training(_ name: String, _ fold: Int) -> String { "Work/training/\(name)/fold-\(fold).json" }
  static func foldScores(_ name: String, _ fold: Int) -> String { "Work/scores/\(name)/fold-\(fold).csv" }
  static func foldFrames(_ name: String, _ fold: Int) -> String { "Work/frames/\(name)/fold-\(fold).csv" }
  static func scoring(_ name: String, _ fold: Int) -> String { "Work/scoring/\(name)/fold-\(fold).json" }
  static func fusion(_ name: String, _ fold: Int) -> String { "Models/fusion-\(name)/fold-\(fold).json" }
  static func scores(_ name: String) -> String { "Scores/\(name).csv" }
  static func frames(_ name: String) -> String { "Scores/frames/\(name).csv" }
}
