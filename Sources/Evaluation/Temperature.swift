import Foundation

/// Divides logits by one positive number so that probabilities match frequencies on the validation scores of a fold. It
/// changes no ranking, so no AUC.
///
/// - Source: Guo et al. 2017, arXiv:1706.04599; the targets are softened as Platt (1999) does, (n₊ + 1) / (n₊ + 2) and
///   1 / (n₋ + 2), so that a small validation part that is separated perfectly still has a finite optimum.
public struct Temperature: Sendable, Hashable, Codable {
  /// What logits are divided by.
  public let value: Double

  /// A known temperature; 1 changes nothing.
  public init(_ value: Double) { self.value = value }

  /// Fits on validation logits.
  ///
  /// - Returns: nil with one class only. A model that ranks no better than chance gets the largest temperature, 100:
  ///   probabilities near 0.5.
  public init?(fitting logits: [Double], fake: [Bool], softened: Bool = true) {
    let positives = fake.count(where: { $0 })
    guard positives > 0, positives < fake.count else { return nil }
    let (high, low) =
      softened
      ? (Double(positives + 1) / Double(positives + 2), 1 / Double(fake.count - positives + 2)) : (1.0, 0.0)
    // d/dβ of the mean loss at logits·β rises with β: bisection on log β, β = 1 / temperature.
    func slope(_ beta: Double) -> Double {
      var sum = 0.0
      for (x, y) in zip(logits, fake) { sum += (sigmoid(beta * x) - (y ? high : low)) * x }
      return sum
    }
    var (least, most) = (log(0.01), log(100.0))
    if slope(exp(least)) >= 0 {
      value = 100
      return
    }
    if slope(exp(most)) <= 0 {
      value = 0.01
      return
    }
    for _ in 0..<60 {
      let middle = (least + most) / 2
      if slope(exp(middle)) < 0 { least = middle } else { most = middle }
    }
    value = exp(-(least + most) / 2)
  }

  /// The calibrated logit.
  public func apply(_ logit: Double) -> Double { logit / value }
}

/// A straight line through logits that makes probabilities match frequencies on validation scores: unlike `Temperature` it
/// also moves a scale that is off to one side.
///
/// - Source: Platt 1999; here with a unit L2 penalty on the slope of the standardised logit instead of softened targets,
///   which keeps a dozen perfectly separated samples from making certainties.
public struct PlattScaling: Sendable, Hashable, Codable {
  /// What logits are multiplied by; never negative, so that no ranking is turned around.
  public let slope: Double
  /// What is added then.
  public let offset: Double

  /// Changes nothing.
  public static let identity = PlattScaling(slope: 1, offset: 0)

  /// A known line.
  public init(slope: Double, offset: Double) { (self.slope, self.offset) = (slope, offset) }

  /// Fits on validation logits. One class teaches nothing: the identity. A model that ranks backwards gets the share of
  /// fakes for every sample.
  public init(fitting logits: [Double], fake: [Bool]) {
    let fakes = fake.count { $0 }
    guard fakes > 0, fakes < fake.count else {
      self = .identity
      return
    }
    let scaler = StandardScaler(fitting: logits.map { [$0] })
    let line = try? LogisticRegression(rows: logits.map { scaler.apply([$0]) }, labels: fake.map { $0 ? 1 : 0 })
    guard let line, line.coefficients[0][0] > 0 else {
      self.init(slope: 0, offset: logit(Double(fakes) / Double(fake.count)))
      return
    }
    let slope = line.coefficients[0][0] / scaler.scale[0]
    self.init(slope: slope, offset: line.intercepts[0] - slope * scaler.mean[0])
  }

  /// The calibrated logit.
  public func apply(_ logit: Double) -> Double { slope * logit + offset }
}
