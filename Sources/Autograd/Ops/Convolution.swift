internal import CKernels
import Tensor

// Activations are channels-last in memory whatever their shape says; weights stay in the checkpoint's order. The C side
// keeps a primitive for each shape it has seen.

/// Convolution in one, two or three dimensions.
///
/// - Shapes: `x [N, in, spatial…]`, `w [out, in / groups, kernel…]`, `b [out]?` → `[N, out, spatial…]`
/// - Traps: if channels, groups and sizes do not fit each other.
/// - Cost: 2·out elements·kernel·in / groups flops; keeps x unless the weights are frozen, or what makes it again.
public func convolution(
  _ x: Variable, _ w: Variable, _ b: Variable? = nil, stride: PerAxis = 1, padding: PerAxis = 0,
  paddingAfter: PerAxis? = nil, dilation: PerAxis = 1, groups: Int = 1
) -> Variable {
  let spatial = x.shape.count - 2
  precondition((1...3).contains(spatial), "convolution: input \(x.shape)")
  precondition(w.shape.count == x.shape.count, "convolution: input \(x.shape), weight \(w.shape)")
  let (N, I, O) = (x.shape[0], x.shape[1], w.shape[0])
  precondition(w.shape[1] * groups == I, "convolution: input \(x.shape), weight \(w.shape), \(groups) groups")
  precondition(b == nil || b!.shape == [O], "convolution: bias \(b?.shape ?? []), weight \(w.shape)")

  func axes(_ values: PerAxis) -> [Int64] { values.expanded(to: spatial).map(Int64.init) }
  var shape = dk_conv()
  let valid = dk_conv_make(
    &shape, Int32(spatial), Int64(N), Int64(I), Int64(O), Int64(groups), x.shape.dropFirst(2).map(Int64.init),
    w.shape.dropFirst(2).map(Int64.init), axes(stride), axes(dilation), axes(padding), axes(paddingAfter ?? padding))
  precondition(valid == 1, "convolution: nothing left of input \(x.shape) under weight \(w.shape), \(groups) groups")
  let sizes = [shape.out.0, shape.out.1, shape.out.2].suffix(spatial).map(Int.init)

  let input = x.value.channelsLast()
  let weight = w.value.contiguous()
  let y = Tensor([N, O] + sizes, format: .channelsLast) { y in
    withFloats(input, weight, b?.value.contiguous()) { x, w, b in
      let status = dk_conv_forward(&shape, x, w, b, y.baseAddress)
      precondition(status == 0, "convolution: input \(input.shape), weight \(weight.shape): oneDNN status \(status)")
    }
  }
  let needs = (x: x.needsGradient, w: w.needsGradient, b: b?.needsGradient ?? false)
  // A frozen layer need not remember what it saw.
  let kept = needs.w || needs.b ? x.again ?? { input } : nil
  return Tape.record(y, [x, w] + (b.map { [$0] } ?? [])) { [shape, inputShape = input.shape, hasBias = b != nil] g in
    var shape = shape
    let g = g.channelsLast()
    let dx = needs.x ? inputGradient(&shape, weight, g, like: inputShape) : nil
    guard let kept else { return hasBias ? [dx, nil, nil] : [dx, nil] }
    let (dw, db) = weightGradients(&shape, kept().channelsLast(), g, like: weight, withBias: needs.b)
    return hasBias ? [dx, needs.w ? dw : nil, db] : [dx, dw]
  }
}

/// Convolution along one axis: `[N, in, L]` → `[N, out, L']`.
public func conv1d(
  _ x: Variable, _ w: Variable, _ b: Variable? = nil, stride: PerAxis = 1, padding: PerAxis = 0, dilation: PerAxis = 1,
  groups: Int = 1
) -> Variable {
  precondition(x.shape.count == 3, "conv1d: input \(x.shape)")
  return convolution(x, w, b, stride: stride, padding: padding, dilation: dilation, groups: groups)
}

/// Convolution of images: `[N, in, H, W]` → `[N, out, H', W']`.
public func conv2d(
  _ x: Variable, _ w: Variable, _ b: Variable? = nil, stride: PerAxis = 1, padding: PerAxis = 0, dilation: PerAxis = 1,
  groups: Int = 1
) -> Variable {
  precondition(x.shape.count == 4, "conv2d: input \(x.shape)")
  return convolution(x, w, b, stride: stride, padding: padding, dilation: dilation, groups: groups)
}

/// Convolution of clips: `[N, in, D, H, W]` → `[N, out, D', H', W']`.
public func conv3d(
  _ x: Variable, _ w: Variable, _ b: Variable? = nil, stride: PerAxis = 1, padding: PerAxis = 0, dilation: PerAxis = 1,
  groups: Int = 1
) -> Variable {
  precondition(x.shape.count == 5, "conv3d: input \(x.shape)")
  return convolution(x, w, b, stride: stride, padding: padding, dilation: dilation, groups: groups)
}

private func inputGradient(_ shape: inout dk_conv, _ w: Tensor, _ g: Tensor, like inputShape: [Int]) -> Tensor {
  Tensor(inputShape, format: .channelsLast) { dx in
    withFloats(w, g, nil) { w, g, _ in
      let status = dk_conv_backward_input(&shape, w, g, dx.baseAddress)
      precondition(status == 0, "convolution: gradient of input \(inputShape): oneDNN status \(status)")
    }
  }
}

private func weightGradients(
  _ shape: inout dk_conv, _ x: Tensor, _ g: Tensor, like w: Tensor, withBias: Bool
) -> (weight: Tensor, bias: Tensor?) {
  var bias: Tensor?
  let weight = Tensor(w.shape) { dw in
    withFloats(x, g, nil) { x, g, _ in
      func run(_ db: UnsafeMutablePointer<Float>?) -> Int32 {
        dk_conv_backward_weights(&shape, x, g, dw.baseAddress, db)
      }
      var status: Int32 = 0
      if withBias {
        bias = Tensor([w.shape[0]]) { status = run($0.baseAddress) }
      } else {
        status = run(nil)
      }
      precondition(status == 0, "convolution: gradient of weight \(w.shape): oneDNN status \(status)")
    }
  }
  return (weight, bias)
}

private func withFloats<R>(
  _ a: Tensor, _ b: Tensor, _ c: Tensor?,
  _ body: (UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?) -> R
) -> R {
  a.withFloats { a in
    b.withFloats { b in
      guard let c else { return body(a.baseAddress, b.baseAddress, nil) }
      return c.withFloats { body(a.baseAddress, b.baseAddress, $0.baseAddress) }
    }
  }
}
