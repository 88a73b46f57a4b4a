import Tensor

// Several tensors' memory at once, for calls of C kernels: nil for a tensor that is absent (or empty).

func withFloats<R>(_ a: Tensor?, _ body: (UnsafePointer<Float>?) -> R) -> R {
  guard let a else { return body(nil) }
  return a.withFloats { body($0.baseAddress) }
}

func withFloats<R>(_ a: Tensor?, _ b: Tensor?, _ body: (UnsafePointer<Float>?, UnsafePointer<Float>?) -> R) -> R {
  withFloats(a) { a in withFloats(b) { b in body(a, b) } }
}

func withFloats<R>(
  _ a: Tensor?, _ b: Tensor?, _ c: Tensor?,
  _ body: (UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?) -> R
) -> R {
  withFloats(a, b) { a, b in withFloats(c) { c in body(a, b, c) } }
}

func withFloats<R>(
  _ a: Tensor?, _ b: Tensor?, _ c: Tensor?, _ d: Tensor?,
  _ body: (UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?) -> R
) -> R {
  withFloats(a, b) { a, b in withFloats(c, d) { c, d in body(a, b, c, d) } }
}
