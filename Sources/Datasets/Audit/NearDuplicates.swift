public import Foundation
internal import Media
internal import Synchronization

/// Samples whose pictures or sound are nearly the same although their files are not: another size, another compression. Found
/// by perceptual hashes; those of the same group are no news.
public struct NearDuplicates: Sendable {
  /// Two samples that look or sound alike.
  public struct Pair: Sendable, Hashable, Codable {
    /// Positions in the data set.
    public let first, second: Int
    /// `image` or `audio`.
    public let modality: Modality
    /// Bits in which the hashes differ.
    public let distance: Int
  }

  /// The pairs of different groups, by position.
  public let pairs: [Pair]
  /// Samples with a hash.
  public let hashed: Int

  /// Up to this many bits of 128 (pictures) or of 64 (sound) may differ. Unrelated ones differ in about half.
  public static let reach = (image: 8, audio: 5)

  /// Hashes every usable sample: the middle frame, and the rises and falls of the sound's level.
  ///
  /// - Parameter groups: pairs within a group are left out.
  /// - Cost: decodes each file once, then compares hashes that have a band of bits in common (a million take seconds).
  public init(
    _ dataset: Dataset, _ roots: DataRoots, groups: SampleGroups,
    threads: Int = ProcessInfo.processInfo.activeProcessorCount,
    progress: @escaping @Sendable (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) {
    let usable = dataset.usable
    let state = Mutex((next: 0, done: 0, hashes: [Hashes](repeating: Hashes(), count: usable.count)))
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, usable.count))) { _ in
      while true {
        let mine = state.withLock { state in
          defer { state.next += 1 }
          return state.next
        }
        guard mine < usable.count else { return }
        let found = Self.hashes(dataset.samples[usable[mine]], roots)
        let done = state.withLock { state in
          state.hashes[mine] = found
          state.done += 1
          return state.done
        }
        progress(done, usable.count)
      }
    }
    let hashes = state.withLock { $0.hashes }
    hashed = hashes.count { $0.image != nil || $0.audio != nil }
    let images = hashes.indices.compactMap { place in
      hashes[place].image.map { (position: usable[place], hash: UInt128($0.0) << 64 | UInt128($0.1)) }
    }
    let sounds = hashes.indices.compactMap { place in
      hashes[place].audio.map { (position: usable[place], hash: UInt128($0)) }
    }
    let pairs =
      Self.near(images, bits: 128, reach: Self.reach.image, groups).map {
        Pair(first: $0.first, second: $0.second, modality: .image, distance: $0.distance)
      }
      + Self.near(sounds, bits: 64, reach: Self.reach.audio, groups).map {
        Pair(first: $0.first, second: $0.second, modality: .audio, distance: $0.distance)
      }
    self.pairs = pairs.sorted {
      ($0.first, $0.second, $0.modality.rawValue) < ($1.first, $1.second, $1.modality.rawValue)
    }
  }

  /// All pairs of different groups whose hashes differ in at most `reach` bits. Cut into one band more than that, two such
  /// hashes have a band in common: only those that do are compared.
  static func near(
    _ items: [(position: Int, hash: UInt128)], bits: Int, reach: Int, _ groups: SampleGroups
  ) -> [(first: Int, second: Int, distance: Int)] {
    var pairs: [(first: Int, second: Int, distance: Int)] = []
    guard items.count > 1 else { return [] }
    let ends = (0...reach + 1).map { $0 * bits / (reach + 1) }
    for band in 0...reach {
      let mask = (UInt128(1) << (ends[band + 1] - ends[band]) - 1) << ends[band]
      let sorted = items.sorted { ($0.hash & mask, $0.position) < ($1.hash & mask, $1.position) }
      var start = 0
      for end in 1...sorted.count
      where end == sorted.count || (sorted[end].hash ^ sorted[start].hash) & mask != 0 {
        for a in start..<min(end, sorted.count) {
          for b in start..<a {
            let difference = sorted[a].hash ^ sorted[b].hash
            guard difference.nonzeroBitCount <= reach else { continue }
            // Found already in an earlier band that is the same in both.
            let isKnown = (0..<band).contains { other in
              difference & ((UInt128(1) << (ends[other + 1] - ends[other]) - 1) << ends[other]) == 0
            }
            guard !isKnown, groups.indices[sorted[a].position] != groups.indices[sorted[b].position] else { continue }
            pairs.append((sorted[b].position, sorted[a].position, difference.nonzeroBitCount))
          }
        }
        start = end
      }
    }
    return pairs
  }

  /// The pairs that lie in different parts of some fold, unused samples aside.
  public func crossing(_ plan: FoldPlan) -> [(pair: Pair, fold: Int)] {
    pairs.compactMap { pair in
      let fold = plan.parts.firstIndex { parts in
        parts[pair.first] != parts[pair.second] && parts[pair.first] != .unused && parts[pair.second] != .unused
      }
      return fold.map { (pair, $0) }
    }
  }

  struct Hashes: Sendable {
    var image: (UInt64, UInt64)?
    var audio: UInt64?
  }

  private static func hashes(_ sample: Sample, _ roots: DataRoots) -> Hashes {
    var found = Hashes()
    if let url = roots.file(sample, .image) {
      let fit = Fit.exact(width: 9, height: 9)
      let picture =
        sample.modalities.contains(.video)
        ? try? Media.frames(of: url, count: 1, fit: fit).first?.image : try? Media.image(at: url).fitted(fit)
      found.image = picture.flatMap { Self.hash(pixels: $0.pixels) }
    }
    if let url = roots.file(sample, .audio), let sound = try? Media.sound(at: url).mono() {
      found.audio = Self.hash(samples: sound.samples)
    }
    return found
  }

  /// Which of neighbouring pixels of a 9 by 9 picture is brighter, to the right and downwards; nil for a plain picture, whose
  /// differences are noise.
  static func hash(pixels: [UInt8]) -> (UInt64, UInt64)? {
    let grey = (0..<81).map { place -> Int in
      let (r, g, b) = (Int(pixels[3 * place]), Int(pixels[3 * place + 1]), Int(pixels[3 * place + 2]))
      return 299 * r + 587 * g + 114 * b
    }
    guard grey.max()! - grey.min()! > 16_000 else { return nil }  // 16 of 255 levels
    var (across, down) = (UInt64(0), UInt64(0))
    for y in 0..<8 {
      for x in 0..<8 {
        across = across << 1 | (grey[9 * y + x + 1] > grey[9 * y + x] ? 1 : 0)
        down = down << 1 | (grey[9 * (y + 1) + x] > grey[9 * y + x] ? 1 : 0)
      }
    }
    return (across, down)
  }

  /// Whether the sound grows louder from each of 65 equal parts to the next; nil for a sound that is too short or even.
  static func hash(samples: [Float]) -> UInt64? {
    guard samples.count >= 65 * 64 else { return nil }
    let energies = (0..<65).map { part in
      samples[part * samples.count / 65..<(part + 1) * samples.count / 65].reduce(Float(0)) { $0 + $1 * $1 }
    }
    let steps = zip(energies, energies.dropFirst()).map { abs($1 - $0) > 0.02 * max($0, $1) }
    guard steps.count(where: { $0 }) >= 48 else { return nil }  // a tone's or silence's steps are rounding
    return zip(energies, energies.dropFirst()).reduce(UInt64(0)) { $0 << 1 | ($1.1 > $1.0 ? 1 : 0) }
  }
}
