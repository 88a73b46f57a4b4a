internal import CKernels

/// How many threads the kernels called from this thread may use: 1 unless it says otherwise.
///
/// One setting for our kernels, for matrix products and for oneDNN. For a fixed count, the same inputs give the same
/// bits run after run; another count may round differently.
public enum ComputeThreads {
  /// The calling thread's count.
  public static var count: Int {
    get { Int(dk_threads()) }
    set { dk_set_threads(Int32(newValue)) }
  }

  /// Runs `body` with another count.
  public static func with<R>(_ count: Int, _ body: () throws -> R) rethrows -> R {
    let before = self.count
    self.count = count
    defer { self.count = before }
    return try body()
  }
}
