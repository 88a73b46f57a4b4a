public import Autograd
public import Tensor

/// Multi-head self-attention with separate projections of queries, keys and values.
public struct MultiHeadAttention {
  private let query, key, value, output: Linear
  private let heads: Int
  private let dropoutRate: Float

  /// Names of the four projections below a scope, where checkpoints differ.
  public struct Names: Sendable {
    /// Paths of the projections.
    public var query, key, value, output: String
    /// `q_proj`, `k_proj`, `v_proj`, `out_proj` by default.
    public init(
      query: String = "q_proj", key: String = "k_proj", value: String = "v_proj", output: String = "out_proj"
    ) {
      (self.query, self.key, self.value, self.output) = (query, key, value, output)
    }
  }

  /// Makes the four projections below `scope`.
  ///
  /// - Parameters:
  ///   - inputBias: whether queries, keys and values have biases.
  ///   - dropout: rate at which attention weights are dropped in training.
  /// - Traps: unless `heads` divides `dim`.
  public init(
    _ scope: ParameterScope, dim: Int, heads: Int, names: Names = Names(), inputBias: Bool = true,
    dropout: Float = 0, initial: Initial? = nil
  ) throws {
    precondition(dim % heads == 0, "attention: \(heads) heads of width \(dim)")
    query = try Linear(scope[names.query], in: dim, out: dim, bias: inputBias, initial: initial)
    key = try Linear(scope[names.key], in: dim, out: dim, bias: inputBias, initial: initial)
    value = try Linear(scope[names.value], in: dim, out: dim, bias: inputBias, initial: initial)
    output = try Linear(scope[names.output], in: dim, out: dim, initial: initial)
    (self.heads, dropoutRate) = (heads, dropout)
  }

  /// Attention; then, in the last projection's own pass, times `scale` and plus `residual`.
  ///
  /// - Shapes: `x [B, N, dim]`, `mask` broadcasts to `[B, heads, N, N]`, `scale [dim]?`, `residual [B, N, dim]?` →
  ///   `[B, N, dim]`
  public func callAsFunction(
    _ x: Variable, mask: Tensor? = nil, causal: Bool = false, _ pass: Pass, scale: Parameter? = nil,
    residual: Variable? = nil
  ) -> Variable {
    let (B, N, dim) = (x.shape[0], x.shape[1], x.shape[2])
    // An experiment's own rate is for networks that drop weights at all.
    let rate = pass.training && dropoutRate > 0 ? pass.dropout ?? dropoutRate : 0
    if rate == 0, projectsTogether(width: dim) {
      let maps = [query, key, value]
      let mixed = selfAttention(
        x, weights: maps.map { pass[$0.weight] }, biases: maps.map { $0.bias.map { pass[$0] } }, heads: heads,
        mask: mask, causal: causal)
      return output(mixed, pass, scale: scale, residual: residual)
    }
    func split(_ x: Variable) -> Variable { transpose(reshape(x, [B, N, heads, dim / heads]), 1, 2) }
    let mixed = scaledDotProductAttention(
      split(query(x, pass)), split(key(x, pass)), split(value(x, pass)), mask: mask, causal: causal, dropout: rate,
      random: &pass.random)
    return output(reshape(transpose(mixed, 1, 2), [B, N, dim]), pass, scale: scale, residual: residual)
  }
}
