// FFTW plans: made once per length under a lock, because only executing a plan is thread-safe.

import CFFTW
import Synchronization

/// The Fourier transform of `length` real numbers, single precision.
final class FourierPlan: @unchecked Sendable {
  // Unchecked because of the raw plan: it is never changed after init, and FFTW allows any number of threads to execute
  // one plan on their own buffers.
  private let plan: fftwf_plan
  let length: Int
  var bins: Int { length / 2 + 1 }

  private static let plans = Mutex<[Int: FourierPlan]>([:])

  /// The plan for a length; plans live as long as the process.
  static func of(length: Int) -> FourierPlan {
    plans.withLock { plans in
      if let known = plans[length] { return known }
      let made = FourierPlan(length)
      plans[length] = made
      return made
    }
  }

  private init(_ length: Int) {
    precondition(length > 0, "FourierPlan: a transform of length \(length) does not exist.")
    self.length = length
    let buffer = FourierBuffer(length: length)
    // Estimated rather than measured: a measured plan depends on the moment, and with it the last bits of the result.
    guard let plan = fftwf_plan_dft_r2c_1d(Int32(length), buffer.input, buffer.output, FFTW_ESTIMATE) else {
      fatalError("FFTW has no plan for \(length) real numbers.")
    }
    self.plan = plan
  }

  /// Transforms `buffer.input` into `buffer.output`.
  func execute(_ buffer: FourierBuffer) { fftwf_execute_dft_r2c(plan, buffer.input, buffer.output) }
}

/// Aligned memory for one transform at a time. Not thread-safe.
final class FourierBuffer {
  let input: UnsafeMutablePointer<Float>
  let output: UnsafeMutablePointer<fftwf_complex>

  init(length: Int) {
    input = fftwf_alloc_real(length)
    output = fftwf_alloc_complex(length / 2 + 1)
  }

  deinit {
    fftwf_free(input)
    fftwf_free(output)
  }
}
