internal import CKernels

// Copies into memory that is not a tensor's, the flat vector of a training step for instance; on the thread's count of
// threads.
extension Tensor {
  /// Writes the elements in row-major order.
  ///
  /// - Traps: if elements are not float32.
  public func copy(to target: UnsafeMutablePointer<Float>) {
    contiguous().withFloats { if let start = $0.baseAddress { dk_copy_floats(start, target, $0.count) } }
  }

  /// Adds the elements, in row-major order, to what is there.
  ///
  /// - Traps: if elements are not float32.
  public func add(to target: UnsafeMutablePointer<Float>) {
    contiguous().withFloats { if let start = $0.baseAddress { dk_accumulate(start, 1, target, $0.count) } }
  }
}
