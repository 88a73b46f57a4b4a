public import Tensor

/// One learnt tensor of a model. Its name is the checkpoint's own.
public final class Parameter {
  /// Full path, e.g. `blocks.3.attn.qkv.weight`.
  public let name: String
  /// The current value; only the optimizer and a checkpoint replace it.
  public var value: Tensor {
    didSet { precondition(value.shape == oldValue.shape, "parameter \(name): \(oldValue.shape) became \(value.shape)") }
  }
  /// Whether training changes it.
  public var trainable = true

  /// A parameter with its first value.
  public init(_ name: String, _ value: Tensor) {
    self.name = name
    self.value = value
  }
}

/// A tensor that belongs to a model's state but is not learnt by gradients, such as a running mean.
public final class Buffer {
  /// Full path, e.g. `bn1.running_mean`.
  public let name: String
  /// The current value.
  public var value: Tensor {
    didSet { precondition(value.shape == oldValue.shape, "buffer \(name): \(oldValue.shape) became \(value.shape)") }
  }

  /// A buffer with its first value.
  public init(_ name: String, _ value: Tensor) {
    self.name = name
    self.value = value
  }
}
