import CKernels
public import Tensor

/// Scaled dot-product attention: softmax(scale · q kᵀ + mask) v.
///
/// The weights are made block by block and not kept; backward makes them again. A query that may see no key gets 0.
/// The result lies in memory as `[B, N, heads, W]`, so that merging heads after a transposition is free.
///
/// - Shapes: `q [B, heads, N, D]`, `k [B, heads, M, D]`, `v [B, heads, M, W]`, `mask` broadcasts to `[B, heads, N, M]` →
///   `[B, heads, N, W]`; all may lack `heads`, or `B` too
/// - Units: a float mask is added to the logits; an integer or boolean mask is 1 where attention is allowed. No gradient
///   flows to a mask. `scale` is 1/√D unless given.
/// - Cost: 2·B·heads·N·M·(D + W) flops; keeps q, k, v, the result and one number a query.
/// - Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1.
public func scaledDotProductAttention(
  _ q: Variable, _ k: Variable, _ v: Variable, mask: Tensor? = nil, causal: Bool = false, scale: Float? = nil
) -> Variable {
  var unused = RandomStream(seed: 0)
  return scaledDotProductAttention(
    q, k, v, mask: mask, causal: causal, scale: scale, dropout: 0, random: &unused)
}

/// Scaled dot-product attention whose weights are dropped at random.
///
/// Everything is as in `scaledDotProductAttention` without dropout; a weight becomes 0 with probability `dropout`, the
/// others are divided by 1 − `dropout`.
///
/// - Cost: a random word for each weight, drawn again in backward.
/// - Source: Vaswani et al. 2017, arXiv:1706.03762; Srivastava et al. 2014, JMLR 15.
public func scaledDotProductAttention(
  _ q: Variable, _ k: Variable, _ v: Variable, mask: Tensor? = nil, causal: Bool = false, scale: Float? = nil,
  dropout: Float, random: inout RandomStream
) -> Variable {
  precondition(dropout >= 0 && dropout < 1, "attention: dropout \(dropout)")
  if q.shape.count == 2 || q.shape.count == 3 {
    let wide = { (x: Variable) in reshape(x, Array(x.shape.dropLast(2)) + [1] + x.shape.suffix(2)) }
    let wideMask = mask.map { $0.rank < 3 ? $0 : $0.reshaped([$0.shape[0], 1] + $0.shape[1...]) }
    let y = scaledDotProductAttention(
      wide(q), wide(k), wide(v), mask: wideMask, causal: causal, scale: scale, dropout: dropout, random: &random)
    return reshape(y, Array(q.shape.dropLast()) + [v.shape.last!])
  }
  let (qs, ks, vs) = (q.shape, k.shape, v.shape)
  precondition(
    qs.count == 4 && ks.count == 4 && vs.count == 4 && qs[..<2] == ks[..<2] && qs[..<2] == vs[..<2] && qs[3] == ks[3]
      && ks[2] == vs[2], "attention: q \(qs), k \(ks), v \(vs)")
  // Each query's words begin anew at a multiple of four.
  let words = qs[0] * qs[1] * qs[2] * ((ks[2] + 3) / 4 * 4)
  let call = AttentionCall(
    q.value, k.value, v.value, mask: mask, causal: causal, scale: scale,
    dropout: dropout > 0 ? DropoutMask(count: words, rate: dropout, random: &random) : nil)
  let (y, logSums) = call.forward()
  let needs = (q: q.needsGradient, k: k.needsGradient, v: v.needsGradient)
  return Tape.record(y, [q, k, v]) { g in
    guard y.count > 0, ks[2] > 0 else {
      return [needs.q ? Tensor(zeros: qs) : nil, needs.k ? Tensor(zeros: ks) : nil, needs.v ? Tensor(zeros: vs) : nil]
    }
    // Gradients in the memory order of a projection's output, [B, N, heads, D].
    let layouts = [qs, ks, vs].map { Layout(shape: $0, strides: headStrides($0[1], $0[2], $0[3])) }
    var results = [Tensor?](repeating: nil, count: 3)
    let wanted = [needs.q, needs.k, needs.v]
    var pointers = [UnsafeMutablePointer<Float>?](repeating: nil, count: 3)
    func fill(_ which: Int) {
      if which < 3 {
        if !wanted[which] { return fill(which + 1) }
        results[which] = Tensor(layout: layouts[which]) { out in
          pointers[which] = out.baseAddress
          fill(which + 1)
        }
        return
      }
      call.backward(y, logSums, g, into: pointers, layouts.map(strides))
    }
    fill(0)
    return results
  }
}

/// Attention of given queries, keys and values, all `[B, heads, N or M, D]` in any memory order with adjacent rows.
struct AttentionCall {
  private let q, k, v: Tensor
  private let mask: Tensor?
  private let order: Layout
  private let frame: dk_attention  // everything but the pointers

  init(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, mask: Tensor?, causal: Bool, scale: Float? = nil,
    dropout: DropoutMask? = nil
  ) {
    let (B, heads, N, M, D, W) = (q.shape[0], q.shape[1], q.shape[2], k.shape[2], q.shape[3], v.shape[3])
    (self.q, self.k, self.v) = (withRows(q), withRows(k), withRows(v))
    let added = mask.map { additive($0).broadcast(to: [B, heads, N, M]) }
    self.mask = added
    order = Layout(shape: [B, heads, N, W], strides: headStrides(heads, N, W))
    var frame = dk_attention()
    (frame.batch, frame.heads, frame.queries, frame.keys) = (Int64(B), Int64(heads), Int64(N), Int64(M))
    (frame.width, frame.value_width) = (Int64(D), Int64(W))
    (frame.scale, frame.causal) = (scale ?? 1 / Float(max(1, D)).squareRoot(), causal ? 1 : 0)
    if let added {
      let s = added.layout.strides.map(Int64.init)
      frame.mask_strides = (s[0], s[1], s[2], s[3])
    }
    if let dropout {
      (frame.threshold, frame.kept) = (dropout.threshold, dropout.scale)
      (frame.chance_key, frame.chance_lane, frame.chance_position) = dropout.words
    }
    self.frame = frame
  }

  /// The result, which lies in memory as `[B, N, heads, W]`, and the logarithms of the sums.
  func forward() -> (y: Tensor, logSums: Tensor) {
    var logSums = Tensor(zeros: [0])
    let y = Tensor(layout: order) { y in
      guard let y = y.baseAddress, frame.keys > 0 else { return y.update(repeating: 0) }
      logSums = Tensor(Array(order.shape.prefix(3))) { sums in
        withCall(frame, q, k, v, mask) { call in
          var call = call
          dk_attention_forward(&call, y, strides(order), sums.baseAddress!)
        }
      }
    }
    return (y, logSums)
  }

  /// Writes the gradients of q, k and v, of those that have a place; `steps` are distances along `[B, heads, N]`.
  func backward(
    _ y: Tensor, _ logSums: Tensor, _ g: Tensor, into places: [UnsafeMutablePointer<Float>?], _ steps: [[Int64]]
  ) {
    let g = withRows(g)
    withCall(frame, q, k, v, mask) { call in
      y.withStridedFloats { o in
        g.withStridedFloats { g0 in
          logSums.withFloats { sums in
            var call = call
            dk_attention_backward(
              &call, headView(o, y.layout), sums.baseAddress!, headView(g0, g.layout), places[0], steps[0], places[1],
              steps[1], places[2], steps[2])
          }
        }
      }
    }
  }
}

private func headStrides(_ heads: Int, _ tokens: Int, _ width: Int) -> [Int] {
  [tokens * heads * width, width, heads * width, 1]
}

// BLAS wants the last axis adjacent and rows at least a row apart.
private func withRows(_ x: Tensor) -> Tensor {
  let s = x.layout.strides
  return (s[3] == 1 || x.shape[3] == 1) && (s[2] >= x.shape[3]) ? x : x.contiguous()
}

private func additive(_ mask: Tensor) -> Tensor {
  guard mask.dtype.isInteger else { return mask.converted(to: .float32) }
  return Tensor(mask.integers().map { $0 == 0 ? -.infinity : 0 }, shape: mask.shape)
}

private func headView(_ base: UnsafePointer<Float>, _ layout: Layout) -> dk_heads {
  let s = layout.strides
  return dk_heads(base: base, batch: Int64(s[0]), head: Int64(s[1]), row: Int64(s[2]))
}

private func strides(_ layout: Layout) -> [Int64] { layout.strides.prefix(3).map(Int64.init) }

private func withCall(
  _ frame: dk_attention, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ mask: Tensor?, _ body: (dk_attention) -> Void
) {
  var call = frame
  q.withStridedFloats { qp in
    k.withStridedFloats { kp in
      v.withStridedFloats { vp in
        call.q = headView(qp, q.layout)
        call.k = headView(kp, k.layout)
        call.v = headView(vp, v.layout)
        guard let mask else { return body(call) }
        mask.withStridedFloats {
          call.mask = $0
          body(call)
        }
      }
    }
  }
}
