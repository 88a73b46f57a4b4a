public import Foundation
internal import Media
internal import Synchronization

/// Measures what should not tell real from fake: see `ShortcutProbe`.
public struct ShortcutAudit: Sendable {
  /// One probe per quantity that some samples have.
  public let probes: [ShortcutProbe]
  /// The measured values by sample id. Of two data sets that share an id, the later one's value counts here; the probes
  /// have both.
  public let values: [ShortcutProbe.Quantity: [String: Double]]
  /// Samples measured.
  public let measured: Int
  /// Samples whose sound could not be decoded, with the reason.
  public let failures: [(sample: Int, reason: String)]

  /// Opens the files of a data set, decodes their sound, and measures.
  ///
  /// - Parameters:
  ///   - limit: at most so many samples of each class, chosen by `seed`; nil for all.
  ///   - progress: called now and then, from any thread.
  /// - Throws: `DatasetError` when there is only one class.
  /// - Cost: decodes the whole sound of each sample.
  public init(
    _ dataset: Dataset, _ roots: DataRoots, limit: Int? = nil, seed: UInt64 = 0,
    threads: Int = ProcessInfo.processInfo.activeProcessorCount,
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
        let found = Self.measure(samples[chosen[mine]], roots)
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
    probes = ShortcutProbe.Quantity.allCases.compactMap { quantity in
      guard let found = found[quantity] else { return nil }
      return ShortcutProbe(
        name: quantity.rawValue, unit: quantity.unit, values: found.map(\.value),
        labels: found.map { samples[$0.sample].label })
    }
    values = found.mapValues { list in
      Dictionary(list.map { (samples[$0.sample].id, $0.value) }, uniquingKeysWith: { $1 })
    }
    (self.failures, measured) = (failures, chosen.count)
  }

  private struct Result: Sendable {
    var values: [ShortcutProbe.Quantity: Double] = [:]
    var failure: String?
  }

  private static func measure(_ sample: Sample, _ roots: DataRoots) -> Result {
    var result = Result()
    do {
      var bytes = 0
      for path in sample.paths {
        let facts = try Media.facts(of: roots.url(sample, path))
        bytes += facts.bytes
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
    let window = max(1, rate / 100)
    var energies: [Double] = []
    var total = 0.0
    samples.withUnsafeBufferPointer { samples in
      for start in stride(from: 0, to: samples.count, by: window) {
        let end = min(samples.count, start + window)
        var energy = 0.0
        for index in start..<end { energy += Double(samples[index]) * Double(samples[index]) }
        total += energy
        energies.append(energy / Double(end - start))
      }
    }
    let floor = (energies.max() ?? 0) * 1e-4  // 40 dB
    let first = energies.firstIndex { $0 > 0 && $0 >= floor } ?? energies.count
    let leading = energies.prefix(5)
    return (
      decibels(total / Double(max(1, samples.count))), Double(first * window) / Double(rate),
      decibels(leading.reduce(0, +) / Double(max(1, leading.count)))
    )
  }

  private static func decibels(_ power: Double) -> Double { power <= 1e-12 ? -120 : 10 * log10(power) }
}
