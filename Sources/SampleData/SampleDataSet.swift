// The whole set: clips, manifest and a page that says what they are. Written so that a half-made set has no manifest.

import Files
public import Foundation
import Synchronization

/// The sample data set: two-second clips of drawn talking heads, real and fake.
public enum SampleDataSet {
  /// Raised whenever the same seed would give other bytes.
  public static let version = 1

  /// How far the writing is.
  public struct Progress: Sendable {
    /// Clips written so far, and in all.
    public var written: Int
    /// Clips of the whole set.
    public var total: Int
  }

  /// What was done.
  public enum Outcome: Sendable {
    /// The set was written.
    case written
    /// The very same set was there.
    case wasThere
  }

  /// Writes `clips` clips, `manifest.csv` and `README.txt` into `directory`.
  ///
  /// The same seed gives the same bytes, and a smaller set is the beginning of a larger one. With `faults` the set is made
  /// wrong on purpose.
  ///
  /// - Throws: `SampleDataError` when `clips` is not a positive multiple of 12, `FileProblem` when a file
  ///   cannot be written.
  /// - Thread: `progress` is called from the threads that draw, one at a time.
  @discardableResult
  public static func write(
    to directory: URL, clips: Int, seed: UInt64, faults: Set<SampleFault> = [], threads: Int = 1,
    progress: (@Sendable (Progress) -> Void)? = nil
  ) throws -> Outcome {
    guard clips > 0, clips % SamplePlan.clipsPerPair == 0 else {
      let nearest = max(1, (clips + SamplePlan.clipsPerPair / 2) / SamplePlan.clipsPerPair) * SamplePlan.clipsPerPair
      throw SampleDataError(
        "\(clips) clips cannot be made: a pair of identities has 12, so ask for a multiple of 12, such as \(nearest).")
    }
    let plan = (0..<(clips / SamplePlan.clipsPerPair)).map { SamplePlan.clips(ofPair: $0, seed: seed) }
    let manifest = SampleManifest.text(plan.flatMap { $0 }, faults: faults)
    let page = SampleManifest.page(clips: clips, seed: seed, faults: faults)
    let folder = directory.appendingPathComponent("clips", isDirectory: true)
    if isThere(directory, plan.flatMap { $0 }, manifest, page) { return .wasThere }
    try makeFolder(folder)
    // Without its manifest the folder is not a data set: an interrupted run must not look like a finished one.
    let place = directory.appendingPathComponent("manifest.csv")
    if unlink(place.path) != 0, errno != ENOENT {
      throw FileProblem(path: place.path, reason: String(cString: strerror(errno)), advice: "name another folder")
    }
    let state = Mutex((written: 0, failure: (any Error)?.none))
    let pairs = plan.count, workers = max(1, min(threads, pairs))
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
      for pair in stride(from: worker, to: pairs, by: workers) {
        guard state.withLock({ $0.failure == nil }) else { return }
        do {
          try PairStudio(seed: seed, pair: pair, clips: plan[pair], faults: faults).make { clip, bytes in
            try writeAtomically(bytes, to: folder.appendingPathComponent("\(clip.name).mp4"))
            state.withLock {
              $0.written += 1
              progress?(Progress(written: $0.written, total: clips))
            }
          }
        } catch {
          state.withLock { $0.failure = $0.failure ?? error }
        }
      }
    }
    if let failure = state.withLock({ $0.failure }) { throw failure }
    try writeAtomically(page, to: directory.appendingPathComponent("README.txt"))
    try writeAtomically(manifest, to: place)
    return .written
  }

  /// The same manifest and page stand there, and so does every clip at its size.
  private static func isThere(_ directory: URL, _ clips: [SampleClip], _ manifest: String, _ page: String) -> Bool {
    func text(_ name: String) -> String? {
      try? String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)
    }
    guard text("manifest.csv") == manifest, text("README.txt") == page else { return false }
    return clips.allSatisfy { clip in
      let path = directory.appendingPathComponent("clips/\(clip.name).mp4").path
      let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int
      return size.map(ClipEncoder.fileSizes.contains) ?? false
    }
  }
}
