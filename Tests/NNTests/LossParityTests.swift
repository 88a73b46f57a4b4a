import Autograd
import NN
import Tensor
import TestSupport
import Testing

/// Losses and their gradients against the reference implementation, within each case's own tolerance.
@Suite struct `losses` {
  @Test(arguments: ReferenceCase.of(ClaimedOperations.losses)) func `agree with the reference`(_ one: ReferenceCase)
    throws
  {
    let attributes = one.attributes
    let reduction = Reduction(rawValue: attributes["reduction"]?.string ?? "mean")!
    try one.check { inputs in
      let target = inputs["target"]?.value
      switch one.op {
      case "cross_entropy":
        return [
          "loss": crossEntropy(
            inputs["input"]!, target: target!, classWeight: inputs["class_weight"]?.value,
            smoothing: attributes["label_smoothing"]?.double ?? 0,
            ignoredIndex: attributes["ignore_index"]?.int ?? -100, reduction: reduction)
        ]
      case "bce_with_logits":
        return [
          "loss": binaryCrossEntropy(
            inputs["input"]!, target: target!, weight: inputs["element_weight"]?.value,
            positiveWeight: inputs["pos_weight"]?.value, reduction: reduction)
        ]
      case "sigmoid_focal_loss":
        let alpha = attributes["alpha"]?.double ?? 0.25
        return [
          "loss": sigmoidFocalLoss(
            inputs["input"]!, target: target!, alpha: alpha < 0 ? nil : alpha,
            gamma: attributes["gamma"]?.double ?? 2, reduction: reduction)
        ]
      case "softmax_focal_loss":
        return [
          "loss": softmaxFocalLoss(
            inputs["input"]!, target: target!, alpha: inputs["alpha"]?.value, gamma: attributes["gamma"]!.double!,
            reduction: reduction)
        ]
      case "clip_contrastive":
        let (loss, logits) = clipContrastiveLoss(
          image: inputs["image"]!, text: inputs["text"]!, logScale: inputs["log_scale"]!)
        return ["loss": loss, "logits": logits]
      case "info_nce":
        return [
          "loss": infoNCELoss(
            query: inputs["query"]!, key: inputs["key"]!, temperature: Float(attributes["temperature"]!.double!))
        ]
      case "nt_xent":
        return [
          "loss": ntXentLoss(
            inputs["view_a"]!, inputs["view_b"]!, temperature: Float(attributes["temperature"]!.double!))
        ]
      case "triplet_margin":
        return [
          "loss": tripletMarginLoss(
            anchor: inputs["anchor"]!, positive: inputs["positive"]!, negative: inputs["negative"]!,
            margin: attributes["margin"]?.double ?? 1, p: attributes["p"]?.double ?? 2,
            swap: attributes["swap"]?.bool ?? false, reduction: reduction)
        ]
      case "cosine_embedding":
        return [
          "loss": cosineEmbeddingLoss(
            inputs["input1"]!, inputs["input2"]!, target: target!, margin: attributes["margin"]?.double ?? 0,
            reduction: reduction)
        ]
      case "cosine_similarity":
        return [
          "output": cosineSimilarity(
            inputs["input1"]!, inputs["input2"]!, axis: attributes["dim"]?.int ?? 1,
            epsilon: attributes["eps"]?.double ?? 1e-8)
        ]
      default:
        Issue.record("no dispatch for \(one.op)")
        return [:]
      }
    }
  }

  @Test func `a weighted sum over parts of a batch adds up to the whole batch's`() {
    let x = testValues([10], 1)
    let t = Tensor((0..<10).map { Float($0 % 2) }, shape: [10])
    let w = testValues([10], 2).map(.abs)
    func total(_ range: Range<Int>) -> Float {
      func part(_ x: Tensor) -> Tensor { x.sliced(axis: 0, range) }
      let focal = sigmoidFocalLoss(
        Variable(part(x)), target: part(t), alpha: 0.25, gamma: 2, weight: part(w), reduction: .sum)
      let plain = binaryCrossEntropy(Variable(part(x)), target: part(t), weight: part(w), reduction: .sum)
      return focal.value.scalar + plain.value.scalar
    }
    #expect(abs(total(0..<10) - total(0..<3) - total(3..<10)) < 1e-5)
  }
}
