/// What one element is. A run-time value, because checkpoints decide it at run time.
public enum DType: String, Sendable, Hashable, CaseIterable {
  /// IEEE single precision; what every operation computes in.
  case float32
  /// The upper half of a float32.
  case bfloat16
  /// IEEE half precision, as in some published checkpoints.
  case float16
  /// Class indices and counters.
  case int64
  /// Token and position indices.
  case int32
  /// Pixels.
  case uint8
  /// One byte, 0 or 1.
  case bool

  /// Bytes of one element.
  public var size: Int {
    switch self {
    case .float32, .int32: 4
    case .bfloat16, .float16: 2
    case .int64: 8
    case .uint8, .bool: 1
    }
  }

  /// Whether elements are whole numbers (booleans included).
  public var isInteger: Bool {
    switch self {
    case .float32, .bfloat16, .float16: false
    case .int64, .int32, .uint8, .bool: true
    }
  }
}
