import Tensor

/// How a family of vision transformers resizes its position embeddings.
public enum PositionResizing: Sendable, Hashable {
  /// Bicubic to the new size: CLIP, and DINOv2 in transformers.
  case size
  /// Bicubic with antialiasing: DINOv2 with registers.
  case antialias
  /// Bicubic with a scale of (size + 0.1) / trained size: the original DINOv2 code.
  case offset
}

/// Position embeddings of a square grid of patches, resized to another grid. Tokens before the patches stay.
///
/// - Shapes: `[1, prefix + S·S, D]`, `size [H, W]` → `[1, prefix + H·W, D]`
/// - Traps: if the patches make no square.
public func interpolatePositionEmbeddings(
  _ embeddings: Variable, to size: [Int], prefix: Int = 1, resizing: PositionResizing
) -> Variable {
  let (tokens, D) = (embeddings.shape[1], embeddings.shape[2])
  let S = Int(Double(tokens - prefix).squareRoot().rounded())
  precondition(S * S == tokens - prefix && size.count == 2, "position embeddings: \(embeddings.shape) to \(size)")
  if size == [S, S] { return embeddings }
  let patches = slice(embeddings, axis: 1, prefix..<tokens)
  let image = permute(reshape(patches, [1, S, S, D]), [0, 3, 1, 2])  // [1, D, S, S], channels last in memory
  let scale = resizing == .offset ? size.map { (Double($0) + 0.1) / Double(S) } : nil
  let resized = interpolate(image, size: size, mode: .cubic, antialias: resizing == .antialias, scale: scale)
  let flat = reshape(permute(resized, [0, 2, 3, 1]), [1, size[0] * size[1], D])
  return prefix == 0 ? flat : concat([slice(embeddings, axis: 1, 0..<prefix), flat], axis: 1)
}
