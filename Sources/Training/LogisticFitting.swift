import Datasets
import Evaluation
import Models
import NN
import Tensor

extension Trainer {
  /// Fits a logistic network in closed form on all parts of all training samples, unaugmented.
  func fitLogistic(_ store: ParameterStore, _ data: TrainingData) throws {
    let writer = data.writer
    let width = job.input.partShape[0]
    var (rows, labels, weights): ([[Double]], [Int], [Double]) = ([], [], [])
    for item in data.training {
      let batch = writer.scoringBatch(try data.prepared(item))
      let values = batch.floats().map(Double.init)
      for part in 0..<batch.shape[0] {
        rows.append(Array(values[(part * width)..<((part + 1) * width)]))
        labels.append(item.isFake ? 1 : 0)
        weights.append(item.sample.weight)
      }
    }
    let scaler = StandardScaler(fitting: rows)
    var points = rows.map(scaler.apply)
    if job.balance.isSynthetic {
      let grown = Oversampling(
        points, labels: labels, start: job.balance.strategy == .smote ? .all : .borderline,
        ratio: job.balance.targetRatio, seed: RandomStream.seed(job, "smote"))
      let made = grown.labels[grown.originals...]
      note(
        .balance,
        "points between training rows: real \(made.count { $0 == 0 }), fake \(made.count { $0 == 1 }); fitted on real "
          + "\(grown.labels.count { $0 == 0 }), fake \(grown.labels.count { $0 == 1 })")
      (points, labels) = (grown.rows, grown.labels)
      weights += [Double](repeating: 1, count: grown.rows.count - grown.originals)
    }
    let balanced = data.balance.classWeights != .none || data.balance.sampler != .none
    let model = try LogisticRegression(rows: points, labels: labels, balanced: balanced, itemWeights: weights)
    try store.load([
      "standardise.mean": Tensor(scaler.mean.map(Float.init), shape: [width]),
      "standardise.scale": Tensor(scaler.scale.map(Float.init), shape: [width]),
      "head.weight": Tensor(model.coefficients[0].map(Float.init), shape: [1, width]),
      "head.bias": Tensor(model.intercepts.map(Float.init), shape: [1]),
    ])
  }
}
