internal import CKernels

/// An n-dimensional array: an immutable value that threads may share.
///
/// Views (slices, permutations, broadcasts) share storage; whoever needs adjacent elements calls `contiguous()`.
public struct Tensor: Sendable {
  /// Where the bytes are.
  public private(set) var storage: Storage
  /// Where this tensor's elements are among them.
  public let layout: Layout
  /// What an element is.
  public let dtype: DType

  /// A view of existing storage.
  ///
  /// - Traps: if the layout reaches outside the storage.
  public init(storage: Storage, layout: Layout, dtype: DType) {
    let last = zip(layout.shape, layout.strides).reduce(layout.offset) { $0 + max(0, $1.0 - 1) * $1.1 }
    precondition(
      layout.count == 0 || (layout.offset >= 0 && (last + 1) * dtype.size <= storage.byteCount),
      "tensor: layout of \(layout.shape) reaches outside its storage")
    self.storage = storage
    self.layout = layout
    self.dtype = dtype
  }

  /// Length of each axis.
  public var shape: [Int] { layout.shape }
  /// Number of elements.
  public var count: Int { layout.count }
  /// Number of axes.
  public var rank: Int { layout.rank }

  /// `axis`-th length, counted from the end if negative.
  public func dim(_ axis: Int) -> Int { layout.shape[layout.axis(axis)] }
}

// MARK: Making tensors

extension Tensor {
  /// A new float tensor in a dense layout; `fill` writes every element, in memory order.
  public init(layout: Layout, fill: (UnsafeMutableBufferPointer<Float>) -> Void) {
    self.init(layout: layout, dtype: .float32) { fill($0.bindMemory(to: Float.self)) }
  }

  /// A new tensor of any type in a dense layout; `fill` writes all bytes, in memory order.
  public init(layout: Layout, dtype: DType, fill: (UnsafeMutableRawBufferPointer) -> Void) {
    precondition(layout.isDense && layout.offset == 0, "tensor: a new tensor needs a dense layout")
    let bytes = layout.count * dtype.size
    let storage = Storage(byteCount: bytes)
    withExtendedLifetime(storage) { fill(UnsafeMutableRawBufferPointer(start: storage.base, count: bytes)) }
    self.init(storage: storage, layout: layout, dtype: dtype)
  }

  /// A new float tensor; `fill` writes every element, in memory order.
  public init(_ shape: [Int], format: MemoryFormat = .contiguous, fill: (UnsafeMutableBufferPointer<Float>) -> Void) {
    self.init(layout: Layout(shape, format: format), fill: fill)
  }

  /// A float tensor from row-major values.
  public init(_ values: [Float], shape: [Int]) {
    precondition(values.count == shape.reduce(1, *), "tensor: \(values.count) values for shape \(shape)")
    self.init(shape) { out in values.withUnsafeBufferPointer { _ = out.update(fromContentsOf: $0) } }
  }

  /// An int64 tensor from row-major values.
  public init(integers values: [Int], shape: [Int]) {
    precondition(values.count == shape.reduce(1, *), "tensor: \(values.count) values for shape \(shape)")
    self.init(layout: Layout(shape), dtype: .int64) { out in
      let out = out.bindMemory(to: Int64.self)
      for (i, value) in values.enumerated() { out[i] = Int64(value) }
    }
  }

  /// A scalar: no axes, one element.
  public init(_ value: Float) { self.init([]) { $0[0] = value } }

  /// All zero.
  public init(zeros shape: [Int], format: MemoryFormat = .contiguous) {
    self.init(full: 0, shape: shape, format: format)
  }

  /// All the same value.
  public init(full value: Float, shape: [Int], format: MemoryFormat = .contiguous) {
    self.init(shape, format: format) { $0.update(repeating: value) }
  }
}

// MARK: Changing a tensor

extension Tensor {
  /// Adds a tensor of the same shape: in this one's own memory where nobody else has it.
  public mutating func add(_ other: Tensor) {
    guard
      shape == other.shape, dtype == .float32, other.dtype == .float32, layout.isDense,
      layout.hasSameOrder(as: other.layout), storage.isOwn, isKnownUniquelyReferenced(&storage)
    else {
      self = combined(.add, other)
      return
    }
    let sum = (storage.base + layout.offset * dtype.size).assumingMemoryBound(to: Float.self)
    other.withFloats { if let start = $0.baseAddress { dk_accumulate(start, 1, sum, $0.count) } }
  }
}

// MARK: Reading elements

extension Tensor {
  /// The bytes of a dense tensor in memory order; of a view, those of a contiguous copy.
  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    let dense = layout.isDense ? self : contiguous()
    return try withExtendedLifetime(dense.storage) {
      let start = dense.storage.base + dense.layout.offset * dtype.size
      return try body(UnsafeRawBufferPointer(start: start, count: count * dtype.size))
    }
  }

  /// The floats of a dense tensor in memory order; of a view, those of a contiguous copy.
  ///
  /// - Traps: if elements are not float32.
  public func withFloats<R>(_ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows -> R {
    precondition(dtype == .float32, "withFloats: elements are \(dtype), not float32")
    return try withBytes { try body($0.assumingMemoryBound(to: Float.self)) }
  }

  /// The first float of any view, for kernels that take `layout.strides`.
  ///
  /// - Traps: if elements are not float32.
  public func withStridedFloats<R>(_ body: (UnsafePointer<Float>) throws -> R) rethrows -> R {
    precondition(dtype == .float32, "withStridedFloats: elements are \(dtype), not float32")
    return try withExtendedLifetime(storage) {
      try body(
        UnsafeRawPointer(storage.base + layout.offset * dtype.size).assumingMemoryBound(to: Float.self))
    }
  }

  /// The first byte of any view, for kernels that take `layout.strides`.
  public func withStridedBytes<R>(_ body: (UnsafeRawPointer) throws -> R) rethrows -> R {
    try withExtendedLifetime(storage) { try body(UnsafeRawPointer(storage.base + layout.offset * dtype.size)) }
  }

  /// All elements in row-major order.
  public func floats() -> [Float] {
    converted(to: .float32).contiguous().withFloats(Array.init)
  }

  /// All elements of an integer tensor in row-major order.
  ///
  /// - Traps: if elements are not whole numbers.
  public func integers() -> [Int] {
    contiguous().withBytes { bytes in
      switch dtype {
      case .int64: bytes.assumingMemoryBound(to: Int64.self).map(Int.init)
      case .int32: bytes.assumingMemoryBound(to: Int32.self).map(Int.init)
      case .uint8, .bool: bytes.map(Int.init)
      case .float32, .bfloat16, .float16: preconditionFailure("integers: elements are \(dtype)")
      }
    }
  }

  /// The only element.
  ///
  /// - Traps: unless there is exactly one.
  public var scalar: Float {
    precondition(count == 1, "scalar: shape is \(shape)")
    return withStridedFloats { $0[0] }
  }
}
