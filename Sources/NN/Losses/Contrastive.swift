public import Autograd
import Glibc
import Tensor

// Losses that tell matching pairs from all others of a batch. Embeddings are L2-normalised first.

/// Cross-entropy of matching pairs in both directions, as CLIP trains.
///
/// - Shapes: `image text [N, D]`, `logScale []` (logarithm of the logit scale) → loss `[]`, logits `[N, N]` by image
/// - Source: Radford et al. 2021, arXiv:2103.00020, fig. 3.
public func clipContrastiveLoss(image: Variable, text: Variable, logScale: Variable)
  -> (loss: Variable, logits: Variable)
{
  precondition(image.shape == text.shape && image.shape.count == 2, "contrastive: \(image.shape) and \(text.shape)")
  let logits = matmul(normalized(image), normalized(text), transposeB: true) * exp(logScale)
  let matches = Tensor(integers: Array(0..<image.shape[0]), shape: [image.shape[0]])
  let byImage = crossEntropy(logits, target: matches, reduction: .mean)
  let byText = crossEntropy(transpose(logits, 0, 1), target: matches, reduction: .mean)
  return ((byImage + byText) * 0.5, logits)
}

/// Cross-entropy of each query's own key among all keys.
///
/// - Shapes: `query key [N, D]` → `[]`
/// - Source: van den Oord et al. 2018, arXiv:1807.03748.
public func infoNCELoss(query: Variable, key: Variable, temperature: Float) -> Variable {
  precondition(query.shape == key.shape && query.shape.count == 2, "InfoNCE: \(query.shape) and \(key.shape)")
  let logits = matmul(normalized(query), normalized(key), transposeB: true) * (1 / temperature)
  let matches = Tensor(integers: Array(0..<query.shape[0]), shape: [query.shape[0]])
  return crossEntropy(logits, target: matches, reduction: .mean)
}

/// Each view's other view among all views of the batch but itself.
///
/// - Shapes: `a b [N, D]` → `[]`
/// - Source: Chen et al. 2020, arXiv:2002.05709, algorithm 1.
public func ntXentLoss(_ a: Variable, _ b: Variable, temperature: Float) -> Variable {
  precondition(a.shape == b.shape && a.shape.count == 2, "NT-Xent: \(a.shape) and \(b.shape)")
  let N = a.shape[0]
  let views = normalized(concat([a, b], axis: 0))
  let logits = matmul(views, views, transposeB: true) * (1 / temperature)
  let itself = Tensor([2 * N, 2 * N]) { out in
    out.update(repeating: 0)
    for i in 0..<2 * N { out[i * (2 * N + 1)] = -.infinity }
  }
  let matches = Tensor(integers: (0..<2 * N).map { ($0 + N) % (2 * N) }, shape: [2 * N])
  return crossEntropy(logits + Variable(itself), target: matches, reduction: .mean)
}
