import Autograd
import Glibc
import Tensor

/// What this machine's kernels compute, as a short name: machines of the same name give the same bits for the same work
/// on one thread. The libraries choose kernels by processor, so that other processors (or versions) may round otherwise.
public enum NumericsFingerprint {
  /// Sixteen hexadecimal digits over the bits of products, convolutions, norms, functions and an optimizer step, forward
  /// and backward, at sizes that reach the libraries' different kernels.
  ///
  /// - Cost: some tens of milliseconds.
  public static func compute() -> String {
    ComputeThreads.with(1) {
      var hash = Hash()
      for (m, n, k) in [(1, 33, 65), (17, 64, 128), (96, 200, 300)] {
        let (x, w) = (sample([m, k]), sample([n, k]))
        hash.absorb(gradients([x, w, sample([n])]) { gelu(linear($0[0], $0[1], $0[2])) })
      }
      let image = sample([4, 16, 15, 14]).channelsLast()
      hash.absorb(
        gradients([image, sample([32, 16, 3, 3]), sample([32])]) {
          conv2d($0[0], $0[1], $0[2], padding: [1, 1])
        })
      hash.absorb(gradients([image, sample([16, 1, 7, 7])]) { conv2d($0[0], $0[1], padding: [3, 3], groups: 16) })
      hash.absorb(gradients(filtered) { conv2d($0[0], $0[1], padding: [1, 1]) })
      hash.absorb(
        gradients([sample([9, 96]), sample([96]), sample([96])]) {
          layerNorm($0[0], $0[1], $0[2], normalizedShape: [96], epsilon: 1e-6)
        })
      hash.absorb(gradients([sample([7, 50])]) { softmax($0[0], axis: -1) + tanh($0[0]) * sigmoid($0[0]) })
      hash.absorb(
        gradients([sample([1, 2, 70, 16]), sample([1, 2, 70, 16])]) {
          scaledDotProductAttention($0[0], $0[1], $0[1])
        })
      var weights = sample([100]).floats()
      var optimizer = Optimizer(.adamW(), count: 100)
      for step in 1...3 {
        optimizer.step(&weights, gradient: sample([100 + step]).floats().dropLast(step), rate: 1e-3)
      }
      hash.absorb(weights)
      // The C library chooses by processor too, and its choices differ at few arguments: a processor without fused
      // multiplication gives other bits for exp, sin, cos, tanh and pow at some of these, but not at the first fifty.
      for i in 1...2_000 {
        let x = Double(i) * 0.0137 + 0.001
        for y in [exp(x), exp(-x), log(x), sin(x), cos(x), tanh(x), pow(x, 1.37), pow(x, 0.3), log1p(x), expm1(x)] {
          hash.absorb(y.bitPattern)
        }
      }
      return hash.digits
    }
  }

  /// `compute`, a space, and `bf16` with a name of the bfloat16 kernels, or `bf16 none` where the processor has none.
  ///
  /// - Cost: twice that of `compute`.
  public static func computeAll() -> String { "\(compute()) bf16 \(halves() ?? "none")" }

  private static func halves() -> String? {
    guard ComputePrecision.hasBFloat16 else { return nil }
    return ComputeThreads.with(1) {
      ComputePrecision.with(.bfloat16) {
        var hash = Hash()
        for (m, n, k) in [(1, 33, 65), (17, 64, 128), (96, 200, 300)] {
          hash.absorb(gradients([sample([m, k]), sample([n, k]), sample([n])]) { gelu(linear($0[0], $0[1], $0[2])) })
        }
        hash.absorb(
          gradients([sample([4, 16, 15, 14]).channelsLast(), sample([32, 16, 3, 3])]) {
            conv2d($0[0], $0[1], padding: [1, 1])
          })
        hash.absorb(gradients(filtered) { conv2d($0[0], $0[1], padding: [1, 1]) })
        hash.absorb(
          gradients([sample([1, 2, 70, 16]), sample([1, 2, 70, 16])]) {
            scaledDotProductAttention($0[0], $0[1], $0[1])
          })
        return hash.digits
      }
    }
  }

  /// Large enough for minimal filtering.
  private static var filtered: [Tensor] { [sample([4, 32, 16, 16]).channelsLast(), sample([32, 32, 3, 3])] }

  private static func sample(_ shape: [Int]) -> Tensor {
    var random = RandomStream(seed: 1, keys: shape)
    return Tensor(uniform: -1..<1, shape: shape, random: &random)
  }

  private static func gradients(_ inputs: [Tensor], _ body: ([Variable]) -> Variable) -> [Float] {
    let tape = Tape()
    let output = body(inputs.map(tape.leaf))
    var bits = output.value.floats()
    tape.backward(from: output, gradient: sample(output.shape)) { bits += $1.floats() }
    return bits
  }

  // FNV-1a, then a mixing step: not for secrets, only for equality.
  private struct Hash {
    private var state: UInt64 = 0xcbf2_9ce4_8422_2325
    var value: UInt64 { (state ^ (state >> 29)) &* 0xbf58_476d_1ce4_e5b9 }
    var digits: String {
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
    mutating func absorb(_ word: UInt64) {
      for shift in stride(from: 0, to: 64, by: 8) {
        state = (state ^ ((word >> UInt64(shift)) & 0xff)) &* 0x0000_0100_0000_01b3
      }
    }
    mutating func absorb(_ values: [Float]) { for value in values { absorb(UInt64(value.bitPattern)) } }
  }
}
