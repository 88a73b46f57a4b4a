import CGSL
import Foundation

// The distribution functions behind every p-value and quantile, from the GNU Scientific Library. The studentised range,
// which it does not have, is one integral over its normal distribution.

enum Normal {
  /// P(X > x).
  static func upperTail(_ x: Double) -> Double { gsl_cdf_ugaussian_Q(x) }
  /// P(X <= x).
  static func lowerTail(_ x: Double) -> Double { gsl_cdf_ugaussian_P(x) }
  /// 2 P(X > |x|).
  static func twoSided(_ x: Double) -> Double { min(1, 2 * gsl_cdf_ugaussian_Q(abs(x))) }
  /// The x with P(X <= x) = p.
  static func quantile(_ p: Double) -> Double { gsl_cdf_ugaussian_Pinv(p) }
}

enum StudentT {
  static func twoSided(_ t: Double, degrees: Double) -> Double { min(1, 2 * gsl_cdf_tdist_Q(abs(t), degrees)) }
  static func quantile(_ p: Double, degrees: Double) -> Double { gsl_cdf_tdist_Pinv(p, degrees) }
}

enum ChiSquared {
  static func upperTail(_ x: Double, degrees: Double) -> Double { gsl_cdf_chisq_Q(x, degrees) }
}

enum FisherF {
  static func upperTail(_ x: Double, _ first: Double, _ second: Double) -> Double { gsl_cdf_fdist_Q(x, first, second) }
}

enum Binomial {
  /// P(X <= k) of n fair coins.
  static func fairLowerTail(_ k: Int, of n: Int) -> Double { gsl_cdf_binomial_P(UInt32(k), 0.5, UInt32(n)) }
}

/// The range of k independent standard normal values (the studentised range with infinitely many degrees of freedom).
enum StudentisedRange {
  /// P(range > q) = 1 - k ∫ φ(z) (Φ(z) - Φ(z - q))^(k-1) dz. The trapezoid rule converges faster than any power of the
  /// step on such an integrand; 0.02 leaves only rounding.
  static func upperTail(_ q: Double, groups k: Int) -> Double {
    guard q > 0 else { return 1 }
    let step = 0.02
    var sum = 0.0
    for index in -450...450 {
      let z = Double(index) * step
      let inside = Normal.lowerTail(z) - Normal.lowerTail(z - q)
      sum += density(z) * pow(inside, Double(k - 1))
    }
    return min(1, max(0, 1 - Double(k) * sum * step))
  }

  /// The q with P(range > q) = alpha, by bisection.
  static func quantile(upper alpha: Double, groups k: Int) -> Double {
    var (low, high) = (0.0, 50.0)
    for _ in 0..<100 {
      let middle = (low + high) / 2
      if upperTail(middle, groups: k) > alpha { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }

  private static func density(_ z: Double) -> Double { exp(-z * z / 2) / (2 * Double.pi).squareRoot() }
}
