public import Foundation
internal import Media
internal import Synchronization

/// Measures what should not tell real from fake: see `ShortcutProbe`.
public struct ShortcutAudit: Sendable {
  /// One probe per quantity that some samples have.
  public let probes: [ShortcutProbe]
  /// The measured values by sample.
  public let values: [ShortcutProbe.Quantity: [SampleKey: Double]]
  /// Samples measured.
  public let measured: Int
  /// Samples whose sound could not be decoded, with the reason.
  public let failures: [(sample: Int, reason: String)]

  /// Opens the files of a data set, decodes their sound, and measures.
  ///
  /// - Parameters:
  ///   - limit: at most so many samples of each class, chosen by `seed`; nil for all.
  ///   - lend: calls its last argument once with roots that have the sample's files for as long as that takes, where they
  ///     may have to be brought from elsewhere; from any thread.
  ///   - progress: called now and then, from any thread.
  /// - Throws: `DatasetError` when there is only one class.
  /// - Cost: decodes the whole sound of each sample.
  public init(
    _ dataset: Dataset, _ roots: DataRoots, limit: Int? = nil, seed: UInt64 = 0,
    threads: Int = ProcessInfo.processInfo.activeProcessorCount,
    lend: @escaping @Sendable (Sample, DataRoots, (DataRoots) -> Void) -> Void = { $2($1) },
    progress: @escaping @Sendable (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) throws {
    try dataset.requireTwoClasses()
    let samples = dataset.samples
    let chosen = Label.allCases.flatMap { label in
      let all = dataset.usable.filter { samples[$0].label == label }
      guard let limit, all.count > limit else { return all }
      return all.sorted {
        let ranks = [$0, $1].map { KeyedRandom.rank(seed: seed, samples[$0].dataset, samples[$0].id) }
        return ranks[0] < ranks[1]
      }.prefix(limit).sorted()
    }
    let state = Mutex((next: 0, done: 0, results: [Result](repeating: Result(), count: chosen.count)))
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, chosen.count))) { _ in
      while true {
        let mine = state.withLock { state in
          defer { state.next += 1 }
          return state.next
        }
        guard mine < chosen.count else { return }
        var found = Result()
        lend(samples[chosen[mine]], roots) { found = Self.measure(samples[chosen[mine]], $0) }
        let done = state.withLock { state in
          state.results[mine] = found
          state.done += 1
          return state.done
        }
        progress(done, chosen.count)
      }
    }
    var found: [ShortcutProbe.Quantity: [(sample: Int, value: Double)]] = [:]
    var failures: [(sample: Int, reason: String)] = []
    for (place, result) in state.withLock({ $0.results }).enumerated() {
      for (quantity, value) in result.values { found[quantity, default: []].append((chosen[place], value)) }
      if let reason = result.failure { failures.append((chosen[place], reason)) }
    }
    let codecs = state.withLock { $0.results.map(\.codec) }
    found[.codec] = Self.frequencies(chosen, samples, codecs, seed)
    found[.identity] = Self.frequencies(chosen, samples, chosen.map { samples[$0].identity }, seed)
    probes = ShortcutProbe.Quantity.allCases.compactMap { quantity in
      guard let found = found[quantity], !found.isEmpty else { return nil }
      return ShortcutProbe(
        name: quantity.rawValue, unit: quantity.unit, values: found.map(\.value),
        labels: found.map { samples[$0.sample].label }, isCategorical: quantity.isCategorical)
    }
    values = found.mapValues { list in
      Dictionary(list.map { (SampleKey(samples[$0.sample]), $0.value) }, uniquingKeysWith: { $1 })
    }
    (self.failures, measured) = (failures, chosen.count)
  }

  // For each sample with a name (of a codec, a person): the share of fakes among the samples of that name in the other four
  // of five parts, so that no sample's own label is in its value. Nothing when all have the same name.
  private static func frequencies(
    _ chosen: [Int], _ samples: [Sample], _ names: [String?], _ seed: UInt64
  ) -> [(sample: Int, value: Double)] {
    var counts: [String: [ClassCounts]] = [:]
    let parts = chosen.map { Int(KeyedRandom.rank(seed: seed, samples[$0].dataset, samples[$0].id) % 5) }
    for (place, index) in chosen.enumerated() {
      guard let name = names[place] else { continue }
      counts[name, default: [ClassCounts](repeating: ClassCounts(), count: 5)][parts[place]].add(samples[index].label)
    }
    guard counts.count > 1 else { return [] }
    return chosen.enumerated().compactMap { place, index in
      guard let name = names[place], let found = counts[name] else { return nil }
      let others = found.indices.filter { $0 != parts[place] }
      let (fakes, all) = (
        others.reduce(0) { $0 + found[$1].fake }, others.reduce(0) { $0 + found[$1].total }
      )
      return (index, Double(fakes + 1) / Double(all + 2))
    }
  }

  private struct Result: Sendable {
    var values: [ShortcutProbe.Quantity: Double] = [:]
    var codec: String?
    var failure: String?
  }

  private static func measure(_ sample: Sample, _ roots: DataRoots) -> Result {
    var result = Result()
    do {
      var bytes = 0
      for path in sample.paths {
        let facts = try Media.facts(of: roots.url(sample, path))
        bytes += facts.bytes
        let codec = [facts.format, facts.videoCodec, facts.audioCodec].compactMap(\.self).joined(separator: "/")
        result.codec = result.codec.map { "\($0) + \(codec)" } ?? codec
        if let duration = facts.duration { result.values[.duration] = duration }
        if let rate = facts.sampleRate { result.values[.sampleRate] = Double(rate) }
        if let width = facts.width, let height = facts.height { result.values[.resolution] = Double(width * height) }
      }
      result.values[.fileSize] = Double(bytes)
      if let url = roots.file(sample, .audio) {
        let sound = try Media.sound(at: url).mono()
        guard sound.frames > 0 else { return result }
        if sample.modalities.isDisjoint(with: .video) { result.values[.duration] = sound.duration }
        let (loudness, silence, leading) = SoundMeasures.of(sound.samples, rate: sound.sampleRate)
        result.values[.loudness] = loudness
        result.values[.leadingSilence] = silence
        result.values[.leadingLevel] = leading
      }
    } catch { result.failure = (error as? MediaError)?.reason ?? "\(error)" }
    return result
  }
}

/// Level and leading silence of a sound.
enum SoundMeasures {
  /// - Returns: level of the whole in dB of full scale, not below -120; seconds until the first 10 ms within 40 dB of
  ///   the loudest 10 ms; level of the first 50 ms in dB.
  static func of(_ samples: [Float], rate: Int) -> (loudness: Double, leadingSilence: Double, leadingLevel: Double) {
    let windows = SilenceRule.energies(samples, rate: rate)
    let total = windows.reduce(0) { $0 + $1.energy }
    let leading = windows.prefix(5).map { $0.energy / Double($0.count) }
    return (
      decibels(total / Double(max(1, samples.count))), SilenceRule().leadingSeconds(windows, rate: rate),
      decibels(leading.reduce(0, +) / Double(max(1, leading.count)))
    )
  }

  private static func decibels(_ power: Double) -> Double { power <= 1e-12 ? -120 : 10 * log10(power) }
}
