import Foundation
import NN
import SafeTensors
import Tensor
import TestSupport
import Testing

/// Whole trajectories, schedules and clipping against the reference implementation.
@Suite struct `optimizers` {
  static let trajectories = names("optimizers.json")
  static let schedules = names("schedules.json")
  static let clippings = names("clipping.json")

  private static func cases(_ file: String) -> [JSON] {
    (try? JSON.read(Fixtures.at("numeric/\(file)")))?["cases"]?.list ?? []
  }
  private static func names(_ file: String) -> [String] { cases(file).compactMap { $0["name"]?.string } }
  private static func one(_ file: String, _ name: String) throws -> JSON {
    try #require(cases(file).first { $0["name"]?.string == name })
  }

  private func rule(_ item: JSON) throws -> OptimizerRule {
    let o = item["options"]!
    func number(_ key: String, _ standard: Double) -> Double { o[key]?.double ?? standard }
    let betas = o["betas"]?.doubles ?? [0.9, 0.999]
    let amsgrad = o["amsgrad"]?.bool ?? false
    switch item["optimizer"]?.string {
    case "SGD":
      return .sgd(
        momentum: number("momentum", 0), dampening: number("dampening", 0), nesterov: o["nesterov"]?.bool ?? false)
    case "Adam": return .adam(beta1: betas[0], beta2: betas[1], epsilon: number("eps", 1e-8), amsgrad: amsgrad)
    case "AdamW": return .adamW(beta1: betas[0], beta2: betas[1], epsilon: number("eps", 1e-8), amsgrad: amsgrad)
    default: throw CocoaError(.featureUnsupported)
    }
  }

  @Test(arguments: trajectories) func `take the reference's way`(_ name: String) throws {
    let item = try Self.one("optimizers.json", name)
    let file = try SafeTensorsFile(Fixtures.at("numeric/optimizers.safetensors"))
    let a = try file.tensor("problem.A")
    let target = try file.tensor("problem.target").floats()
    let noise = try file.tensor("problem.noise")
    var weights = try file.tensor("problem.start").floats()
    let d = weights.count
    var optimizer = Optimizer(try rule(item), count: d)
    let options = item["options"]!
    // AdamW's default in PyTorch is 0.01.
    let decay = options["weight_decay"]?.double ?? (item["optimizer"]?.string == "AdamW" ? 0.01 : 0)
    let rates = item["lr_per_step"]?.doubles ?? Array(repeating: options["lr"]!.double!, count: noise.shape[0])
    var trajectory = weights
    for (t, rate) in rates.enumerated() {
      let away = Tensor(zip(weights, target).map { $0 - $1 }, shape: [d, 1])
      let pull = Tensor.product(a, away).reshaped([d])
      let gradient = pull.combined(.add, noise.sliced(axis: 0, t..<t + 1).reshaped([d])).floats()
      optimizer.step(&weights, gradient: gradient, rate: Float(rate), weightDecay: Float(decay))
      trajectory += weights
    }
    let expected = try file.tensor("\(name)/parameters")
    expectClose(Tensor(trajectory, shape: [rates.count + 1, d]), expected, tolerance: 1e-5, name)
    for buffer in item["state"]!.list.compactMap(\.string) {
      let expected = try file.tensor("\(name)/final_state.\(buffer)")
      expectClose(Tensor(optimizer.state[buffer]!, shape: [d]), expected, tolerance: 1e-5, "\(name) \(buffer)")
    }
  }

  @Test func `groups have their own decay and what is outside stays`() {
    var weights: [Float] = [1, 1, 1, 1]
    var optimizer = Optimizer(.adamW(), count: 4)
    let groups = [
      OptimizerGroup(range: 0..<1, weightDecay: 0.5), OptimizerGroup(range: 1..<3, weightDecay: 0, rateScale: 0),
    ]
    optimizer.step(&weights, gradient: [0, 0, 1, 1], rate: 0.1, groups: groups)
    #expect(weights == [0.95, 1, 1, 1])
  }

  @Test func `state saved and put back goes on with the same bits`() {
    func gradient(_ step: Int) -> [Float] { testValues([37], step).floats() }
    var straight = Optimizer(.adam(amsgrad: true), count: 37)
    var a = testValues([37]).floats()
    for step in 0..<6 { straight.step(&a, gradient: gradient(step), rate: 0.01) }
    var first = Optimizer(.adam(amsgrad: true), count: 37)
    var b = testValues([37]).floats()
    for step in 0..<3 { first.step(&b, gradient: gradient(step), rate: 0.01) }
    var second = Optimizer(.adam(amsgrad: true), count: 37)
    (second.steps, second.state) = (first.steps, first.state)
    for step in 3..<6 { second.step(&b, gradient: gradient(step), rate: 0.01) }
    #expect(a == b)
  }

  @Test(arguments: schedules) func `follow the reference's schedule`(_ name: String) throws {
    let item = try Self.one("schedules.json", name)
    let o = item["options"]!
    let base = item["base_lr"]!.double!
    let expected = item["lr"]!.doubles
    func int(_ key: String) -> Int { o[key]!.int! }
    func double(_ key: String) -> Double { o[key]!.double! }
    var plateau: PlateauSchedule?
    var schedule = Schedule.constant
    // Which schedule a case means shows in its options.
    let options = Set(o.keys)
    if options == ["warmup", "total"] {
      schedule = .linear(warmup: int("warmup"), total: int("total"))
    } else if options.contains("cycles") {
      schedule = .cosine(warmup: int("warmup"), total: int("total"), cycles: double("cycles"))
    } else if options.contains("T_max") {
      schedule = .cosineAnnealing(period: int("T_max"), minimum: o["eta_min"]?.double ?? 0)
    } else if options.contains("T_0") {
      schedule = .warmRestarts(period: int("T_0"), factor: o["T_mult"]?.int ?? 1, minimum: o["eta_min"]?.double ?? 0)
    } else if options.contains("step_size") {
      schedule = .step(size: int("step_size"), gamma: double("gamma"))
    } else if options.contains("milestones") {
      schedule = .milestones(o["milestones"]!.ints, gamma: double("gamma"))
    } else if options == ["gamma"] {
      schedule = .exponential(gamma: double("gamma"))
    } else if options.contains("pct_start") {
      schedule = .oneCycle(total: int("total_steps"), rise: double("pct_start"))
    } else if options.contains("patience") {
      var p = PlateauSchedule(rate: base)
      p.mode = o["mode"]!.string == "min" ? .min : .max
      (p.factor, p.patience, p.threshold) = (double("factor"), int("patience"), double("threshold"))
      p.thresholdMode = o["threshold_mode"]!.string == "rel" ? .relative : .absolute
      (p.cooldown, p.minimum, p.smallestChange) = (int("cooldown"), double("min_lr"), double("eps"))
      plateau = p
    } else {
      Issue.record("no dispatch for \(name)")
    }
    let metrics = item["metrics"]?.doubles ?? item["metric"]?.doubles ?? []
    for (step, rate) in expected.enumerated() {
      let ours = plateau?.rate ?? schedule.rate(base, step: step)
      #expect(abs(ours - rate) <= 1e-6 * rate + 1e-9 * base, "\(name) step \(step): \(ours), not \(rate)")
      if plateau != nil { plateau!.report(try #require(metrics.indices.contains(step) ? metrics[step] : nil)) }
    }
  }

  @Test(arguments: clippings) func `clip as the reference`(_ name: String) throws {
    let item = try Self.one("clipping.json", name)
    var gradient = item["gradients"]!.list.flatMap(\.doubles).map { Float($0) }
    let kind: Clipping.Norm =
      switch item["norm_type"]?.double {
      case 1: .l1
      case 2: .l2
      default: .maximum
      }
    let norm = Clipping.clip(&gradient, to: item["max_norm"]!.double!, kind)
    let expected = item["total_norm"]!.double!
    #expect(abs(norm - expected) <= 1e-5 * expected)
    #expect(relativeL2(gradient, item["clipped"]!.list.flatMap(\.doubles).map { Float($0) }) <= 1e-5)
  }

  @Test func `there are cases of each kind`() {
    #expect(!Self.trajectories.isEmpty && !Self.schedules.isEmpty && !Self.clippings.isEmpty)
  }

  @Test func `a NaN shows in every norm`() {
    for kind in [Clipping.Norm.l1, .l2, .maximum] { #expect(Clipping.norm([1, .nan, 2], kind).isNaN) }
  }
}
