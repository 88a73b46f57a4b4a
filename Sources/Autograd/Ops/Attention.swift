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
  let (B, heads, N, M) = (qs[0], qs[1], qs[2], ks[2])
  let added = mask.map { additive($0).broadcast(to: [B, heads, N, M]) }
  let (qv, kv, vv) = (withRows(q.value), withRows(k.value), withRows(v.value))
  let scale = scale ?? 1 / Float(max(1, qs[3])).squareRoot()

  // Everything but the pointers.
  var call = dk_attention()
  (call.batch, call.heads, call.queries, call.keys) = (Int64(B), Int64(heads), Int64(N), Int64(M))
  (call.width, call.value_width) = (Int64(qs[3]), Int64(vs[3]))
  (call.scale, call.causal) = (scale, causal ? 1 : 0)
  if let added {
    let s = added.layout.strides.map(Int64.init)
    call.mask_strides = (s[0], s[1], s[2], s[3])
  }
  if dropout > 0 {
    let words = random.reserve(blocks: B * heads * N * ((M + 3) / 4))
    (call.threshold, call.kept) = (UInt32((Double(dropout) * 0x1p32).rounded()), 1 / (1 - dropout))
    (call.chance_key, call.chance_lane, call.chance_position) = (words.key, words.lane, words.position)
  }
  let frame = call

  let order = Layout(shape: [B, heads, N, vs[3]], strides: headStrides(heads, N, vs[3]))
  var logSums = Tensor(zeros: [0])
  let y = Tensor(layout: order) { y in
    guard let y = y.baseAddress, M > 0 else { return y.update(repeating: 0) }
    logSums = Tensor([B, heads, N]) { sums in
      withCall(frame, qv, kv, vv, added) { call in
        var call = call
        dk_attention_forward(&call, y, strides(order), sums.baseAddress!)
      }
    }
  }
  let needs = (q: q.needsGradient, k: k.needsGradient, v: v.needsGradient)
  return Tape.record(y, [q, k, v]) { [logSums] g in
    guard y.count > 0, M > 0 else {
      return [needs.q ? Tensor(zeros: qs) : nil, needs.k ? Tensor(zeros: ks) : nil, needs.v ? Tensor(zeros: vs) : nil]
    }
    let g = withRows(g)
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
      withCall(frame, qv, kv, vv, added) { call in
        y.withStridedFloats { o in
          g.withStridedFloats { g0 in
            logSums.withFloats { sums in
              var call = call
              dk_attention_backward(
                &call, headView(o, y.layout), sums.baseAddress!, headView(g0, g.layout), pointers[0],
                strides(layouts[0]), pointers[1], strides(layouts[1]), pointers[2], strides(layouts[2]))
            }
          }
        }
      }
    }
    fill(0)
    return results
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
