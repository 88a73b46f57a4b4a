import Autograd
import Models
import NN
import Tensor

/// Scoring as validation, test and prediction all do it: one forward pass over the sample's own parts, on one compute
/// thread. A score therefore depends on nothing but the weights and the sample.
struct NetworkScoring {
  let network: any Network
  let writer: PartWriter
  let aggregate: Aggregation

  func score(_ sample: PreparedSample) -> SampleScore {
    let pass = Pass(training: false)
    let logits = ComputeThreads.with(1) {
      network.logits(Variable(writer.scoringBatch(sample)), pass).value.floats()
    }
    let (probability, logit) = aggregate.score(of: logits)
    return SampleScore(probability: probability, logit: logit, parts: logits.map { sigmoid(Double($0)) })
  }
}
