import CKernels
import Glibc

/// Gradient clipping by the norm of everything together.
public enum Clipping {
  /// Which norm.
  public enum Norm: Sendable, Hashable {
    /// Σ |g|
    case l1
    /// √Σ g²
    case l2
    /// max |g|
    case maximum
  }

  /// The norm of a flat gradient, summed in an order that depends on its length alone. NaN or infinite if any element is.
  public static func norm(_ gradient: [Float], _ kind: Norm = .l2) -> Double {
    gradient.withUnsafeBufferPointer { norm($0, kind) }
  }

  /// The same of a part of a buffer.
  public static func norm(_ gradient: UnsafeBufferPointer<Float>, _ kind: Norm = .l2) -> Double {
    guard let start = gradient.baseAddress, !gradient.isEmpty else { return 0 }
    return switch kind {
    case .l1: gradient.reduce(0) { $0 + Double(abs($1)) }
    case .l2: dk_sum_of_squares(start, gradient.count).squareRoot()
    case .maximum: Double(dk_maximum_magnitude(start, gradient.count))
    }
  }

  /// What PyTorch multiplies a gradient of this norm with: min(1, limit / (norm + 10⁻⁶)).
  public static func scale(norm: Double, limit: Double) -> Float { Float(min(1, limit / (norm + 1e-6))) }

  /// Scales a flat gradient by min(1, limit / (norm + 10⁻⁶)), as PyTorch does, and gives the norm that it had.
  @discardableResult
  public static func clip(_ gradient: inout [Float], to limit: Double, _ kind: Norm = .l2) -> Double {
    let norm = norm(gradient, kind)
    let scale = min(1, limit / (norm + 1e-6))
    guard scale < 1 else { return norm }
    gradient.withUnsafeMutableBufferPointer { g in
      guard let start = g.baseAddress else { return }
      dk_affine(start, Float(scale), 0, start, g.count)
    }
    return norm
  }
}
