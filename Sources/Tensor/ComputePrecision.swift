internal import CKernels

/// The numbers that products, convolutions and attention multiply, for the kernels called from this thread: float32
/// unless it says otherwise.
///
/// With `bfloat16` both factors are rounded to 8 bits of mantissa where they are read; sums are float32, and so is
/// everything that is stored: activations, weights, gradients, statistics of norms, softmax, losses, the optimizer. Stored
/// rounded are the hidden layer of `feedForward`, its slopes and its gradient, as products alone read them, and what batch
/// norms of large inputs keep for backward.
public enum ComputePrecision: Sendable, Hashable {
  /// As they are.
  case float32
  /// Rounded to nearest, ties to even.
  case bfloat16

  /// Whether this processor multiplies bfloat16 numbers itself (AVX512_BF16). Where it does not, `bfloat16` changes
  /// nothing: the numbers are float32.
  public static var hasBFloat16: Bool { dk_has_bfloat16() != 0 }

  /// The calling thread's setting; never `bfloat16` where the processor lacks it.
  public static var current: ComputePrecision {
    get { dk_bfloat16() != 0 ? .bfloat16 : .float32 }
    set { dk_set_bfloat16(newValue == .bfloat16 ? 1 : 0) }
  }

  /// Runs `body` with another setting. Backward should run under the setting of its forward pass.
  public static func with<R>(_ precision: ComputePrecision, _ body: () throws -> R) rethrows -> R {
    let before = current
    current = precision
    defer { current = before }
    return try body()
  }
}
