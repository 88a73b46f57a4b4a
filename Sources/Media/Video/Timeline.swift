// When each frame of a video is shown, and which frames can be decoded without others.

/// Presentation timestamps of all frames, in units of the stream's time base.
struct Timeline: Equatable {
  /// A frame that decoding can start from.
  struct Key: Equatable {
    var shown: Int64
    var decoded: Int64
  }

  /// Sorted and distinct.
  private(set) var shown: [Int64] = []
  /// In order of presentation.
  private(set) var keys: [Key] = []
  /// One past the last instant that the last frame is shown.
  private(set) var end: Int64 = 0

  /// - Traps: if there are no frames.
  init(shown unsorted: [Int64], keys: [Key], lastDuration: Int64) {
    precondition(!unsorted.isEmpty, "Timeline: there must be a frame.")
    for timestamp in unsorted.sorted() where shown.last != timestamp { shown.append(timestamp) }
    self.keys = keys.sorted { $0.shown < $1.shown }
    // A last frame without a duration is shown as long as the average one; a single frame for no time at all.
    let average = shown.count > 1 ? max(1, (shown.last! - shown[0]) / Int64(shown.count - 1)) : 1
    end = shown.last! + (lastDuration > 0 ? lastDuration : average)
  }

  /// Index of the frame shown at an instant: the last that begins at or before it, or the first.
  func index(at instant: Double) -> Int {
    var (low, high) = (0, shown.count)  // shown[..<low] begin at or before the instant
    while low < high {
      let middle = (low + high) / 2
      // A thousandth of a tick: a time that was computed from a timestamp must find that frame again.
      if Double(shown[middle]) <= instant + 1e-3 { low = middle + 1 } else { high = middle }
    }
    return max(0, low - 1)
  }

  /// The key frame that decoding a frame begins with.
  func key(before timestamp: Int64) -> Key? {
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle].shown <= timestamp { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? keys[low - 1] : nil
  }

  /// Instants in the middle of `count` equal parts.
  func evenlySpaced(_ count: Int) -> [Double] {
    let span = Double(end - shown[0])
    return (0..<count).map { Double(shown[0]) + (Double($0) + 0.5) * span / Double(count) }
  }
}
