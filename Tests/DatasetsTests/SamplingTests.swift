import Foundation
import Testing

@testable import Datasets

@Suite struct `a sampling plan` {
  // 20 real, 100 fake.
  private let labels = (0..<120).map { $0 % 6 == 0 ? Label.real : .fake }

  private func plan(
    _ sampler: BalanceSettings.Sampler, _ weights: BalanceSettings.ClassWeights = .none, seed: UInt64 = 1
  )
    throws -> SamplingPlan
  {
    try SamplingPlan(
      labels: labels, settings: BalanceSettings(classWeights: weights, sampler: sampler), seed: seed, fold: 0)
  }

  private func shown(_ order: [Int]) -> ClassCounts {
    var counts = ClassCounts()
    for index in order { counts.add(labels[index]) }
    return counts
  }

  @Test(arguments: BalanceSettings.Sampler.allCases)
  func `is the same for the same keys and another for others`(sampler: BalanceSettings.Sampler) throws {
    let first = try plan(sampler).order(epoch: 3)
    #expect(try plan(sampler).order(epoch: 3) == first && first.count == (try plan(sampler).epochLength))
    #expect(try plan(sampler).order(epoch: 4) != first && (try plan(sampler, seed: 2).order(epoch: 3)) != first)
    let other = try SamplingPlan(labels: labels, settings: BalanceSettings(sampler: sampler), seed: 1, fold: 1)
    #expect(other.order(epoch: 3) != first)
  }

  @Test func `shows each sample once without a sampler`() throws {
    #expect(try plan(.none).order(epoch: 0).sorted() == Array(0..<120))
  }

  @Test func `oversampling repeats the rarer class evenly`() throws {
    let order = try plan(.oversample).order(epoch: 0)
    #expect(shown(order) == ClassCounts(real: 100, fake: 100))
    for index in stride(from: 0, to: 120, by: 6) { #expect(order.count { $0 == index } == 5) }
    #expect(Set(order).count == 120)
  }

  @Test func `undersampling takes other samples every epoch`() throws {
    let made = try plan(.undersample)
    let (first, second) = (made.order(epoch: 0), made.order(epoch: 1))
    #expect(shown(first) == ClassCounts(real: 20, fake: 20) && Set(first).count == 40 && Set(first) != Set(second))
  }

  @Test func `weighted drawing shows both classes about equally`() throws {
    let counts = shown((0..<50).flatMap { (try? plan(.weighted).order(epoch: $0)) ?? [] })
    #expect(counts.total == 6000 && abs(counts.real - 3000) < 200)  // 5 standard deviations are 194
  }

  @Test func `balanced batches have both classes whatever their size`() throws {
    let order = try plan(.balancedBatches).order(epoch: 2)
    #expect(shown(order) == ClassCounts(real: 60, fake: 60))
    for start in stride(from: 0, to: 120, by: 8) {
      #expect(shown(Array(order[start..<start + 8])) == ClassCounts(real: 4, fake: 4))
    }
    #expect(Set(order.filter { labels[$0] == .fake }).count == 60)
  }

  @Test func `class weights follow from what is shown`() throws {
    let balanced = try plan(.none, .balanced)
    #expect(abs(balanced.classWeights.real - 3) < 1e-12 && abs(balanced.classWeights.fake - 0.6) < 1e-12)
    #expect(try plan(.oversample, .balanced).classWeights == (1, 1))
    let given = try SamplingPlan(
      labels: labels, weights: labels.map { _ in 0.5 },
      settings: BalanceSettings(classWeights: .given(real: 2, fake: 1)), seed: 1, fold: 0)
    #expect(given.lossWeight(0) == 1 && given.lossWeight(1) == 0.5)
    #expect(balanced.summary.contains("real 20, fake 100; sampler none shows real 20, fake 100 an epoch"))
    #expect(balanced.summary.contains("class weights real 3, fake 0.6"))
  }

  @Test func `aims at a target ratio`() throws {
    func made(
      _ sampler: BalanceSettings.Sampler, _ ratio: Double, _ weights: BalanceSettings.ClassWeights = .none
    ) throws -> SamplingPlan {
      try SamplingPlan(
        labels: labels, settings: BalanceSettings(classWeights: weights, sampler: sampler, targetRatio: ratio), seed: 1,
        fold: 0)
    }
    #expect(try shown(made(.oversample, 2).order(epoch: 0)) == ClassCounts(real: 50, fake: 100))
    #expect(try shown(made(.undersample, 2).order(epoch: 0)) == ClassCounts(real: 20, fake: 40))
    let batches = try made(.balancedBatches, 3).order(epoch: 0)
    #expect(shown(batches) == ClassCounts(real: 30, fake: 90))
    for start in stride(from: 0, to: 120, by: 8) {
      #expect(shown(Array(batches[start..<start + 8])) == ClassCounts(real: 2, fake: 6))
    }
    let drawn = try shown((0..<50).flatMap { try made(.weighted, 3).order(epoch: $0) })
    #expect(abs(drawn.real - 1500) < 170)  // 5 standard deviations are 168
    let weighted = try made(.none, 2, .balanced).classWeights
    #expect(abs(weighted.fake * 100 - 2 * weighted.real * 20) < 1e-9)
    #expect(abs(weighted.fake * 100 + weighted.real * 20 - 120) < 1e-9)
    // Data that is nearer to equal than the target is left alone.
    #expect(try shown(made(.undersample, 9).order(epoch: 0)) == ClassCounts(real: 20, fake: 100))
  }

  @Test func `auto follows the ratio and says why`() throws {
    func auto(_ real: Int, _ fake: Int) throws -> SamplingPlan {
      try SamplingPlan(
        labels: [Label](repeating: .real, count: real) + [Label](repeating: .fake, count: fake),
        settings: BalanceSettings(loss: .focal, focalGamma: 2, classWeights: .balanced, strategy: .auto), seed: 1,
        fold: 0)
    }
    let (even, moderate, severe) = (try auto(50, 149), try auto(50, 150), try auto(260, 51))
    #expect(even.settings == BalanceSettings(focalGamma: 2, strategy: .auto))
    #expect(even.reason == "auto does nothing, as 3.0:1 is below 3:1" && even.classWeights == (1, 1))
    #expect(moderate.settings.classWeights == .balanced && moderate.settings.loss == .bce)
    #expect(
      moderate.summary.hasPrefix("balance auto takes class weights, as 3.0:1 is between 3:1 and 5:1: training part"))
    #expect(severe.settings.sampler == .weighted && severe.settings.loss == .focal && severe.settings.focalGamma == 2)
    #expect(severe.reason == "auto takes a weighted sampler and focal loss, as 5.1:1 is above 5:1")
  }

  @Test(arguments: BalanceSettings.Strategy.allCases)
  func `a strategy by name takes the place of the other keys`(strategy: BalanceSettings.Strategy) throws {
    let given = BalanceSettings(
      loss: .focal, classWeights: .given(real: 3, fake: 1), sampler: .weighted, strategy: strategy)
    let settings = given.resolved(for: ClassCounts(real: 10, fake: 10)).settings
    switch strategy {
    case .given: #expect(settings == given)
    case .classWeights:
      #expect(settings.classWeights == .balanced && settings.sampler == .none && settings.loss == .bce)
    case .weightedSampler: #expect(settings.sampler == .weighted && settings.classWeights == .none)
    case .focal: #expect(settings.loss == .focal && settings.focalGamma == 2 && settings.sampler == .none)
    case .oversample: #expect(settings.sampler == .oversample)
    case .undersample: #expect(settings.sampler == .undersample)
    case .balancedBatches: #expect(settings.sampler == .balancedBatches)
    case .none, .auto, .smote, .borderlineSMOTE:
      #expect(settings.loss == .bce && settings.sampler == .none && settings.classWeights == .none)
    }
    #expect(try JSONDecoder().decode(BalanceSettings.self, from: JSONEncoder().encode(given)) == given)
  }

  @Test func `of one class is refused where both are needed`() throws {
    let fakes = [Label](repeating: .fake, count: 5)
    #expect(throws: DatasetError.self) { try SamplingPlan(labels: [], settings: BalanceSettings(), seed: 1, fold: 0) }
    #expect(throws: DatasetError.self) {
      try SamplingPlan(labels: fakes, settings: BalanceSettings(sampler: .oversample), seed: 1, fold: 0)
    }
    #expect(try SamplingPlan(labels: fakes, settings: BalanceSettings(), seed: 1, fold: 0).order(epoch: 0).count == 5)
  }

  @Test func `settings read and write the forms of an experiment`() throws {
    func read(_ weights: String) throws -> BalanceSettings {
      let text = #"{"loss":"focal","focal_gamma":2.0,"class_weights":\#(weights),"sampler":"balanced-batches"}"#
      return try JSONDecoder().decode(BalanceSettings.self, from: Data(text.utf8))
    }
    #expect(try read("\"balanced\"").classWeights == .balanced && (try read("\"none\"").sampler) == .balancedBatches)
    let given = try read(#"{"real":2,"fake":0.5}"#)
    #expect(given.classWeights == .given(real: 2, fake: 0.5))
    #expect(try JSONDecoder().decode(BalanceSettings.self, from: JSONEncoder().encode(given)) == given)
    #expect(throws: DecodingError.self) { try read("\"inverse\"") }
    #expect(throws: DatasetError.self) { try BalanceSettings(focalGamma: -1).validate() }
  }
}

@Suite struct `keyed random numbers` {
  @Test func `are uniform and stay below their bound`() {
    var random = KeyedRandom(seed: 9, purpose: "test", 1, 2)
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[random.below(7)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 10_000) < 500 })  // 5 standard deviations are 463
    var other = KeyedRandom(seed: 9, purpose: "other", 1, 2)
    var third = KeyedRandom(seed: 9, purpose: "test", 2, 1)
    var again = KeyedRandom(seed: 9, purpose: "test", 1, 2)
    let first = again.next()
    #expect(first != other.next() && first != third.next())
    #expect(random.permuted(Array(0..<100)).sorted() == Array(0..<100))
  }

  @Test func `never change from one version to the next`() {
    var random = KeyedRandom(seed: 7, purpose: "epoch order", 1, 2)
    #expect([random.next(), random.next()] == [4_233_408_377_479_776_142, 619_322_171_490_981_572])
    #expect(KeyedRandom.rank(seed: 7, "d", "a.wav") == 7_437_069_144_602_151_633)
  }
}
