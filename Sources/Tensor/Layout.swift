/// How a dense image-like tensor lies in memory. Shapes are always written N, C, spatial….
public enum MemoryFormat: Sendable, Hashable {
  /// Row-major: the last axis is adjacent.
  case contiguous
  /// N, spatial…, C in memory: the channels of one position are adjacent. Needs rank 3 or more.
  case channelsLast
}

/// Where the elements of a tensor lie: a pure value, no memory attached. Strides and offset count elements.
public struct Layout: Sendable, Hashable {
  /// Length of each axis.
  public let shape: [Int]
  /// Distance in memory between neighbours along each axis; 0 where an axis repeats one element.
  public let strides: [Int]
  /// Index of the first element in the storage.
  public let offset: Int
  /// Number of elements.
  public let count: Int
  /// Whether elements lie in row-major order without gaps.
  public let isContiguous: Bool
  /// Whether elements lie in the order N, spatial…, C without gaps.
  public let isChannelsLast: Bool
  /// Whether the elements fill one stretch of memory, each exactly once, in any order of axes.
  public let isDense: Bool

  /// A view with explicit strides.
  public init(shape: [Int], strides: [Int], offset: Int = 0) {
    precondition(shape.count == strides.count, "layout: \(shape.count) axes but \(strides.count) strides")
    precondition(shape.allSatisfy { $0 >= 0 }, "layout: negative length in \(shape)")
    self.shape = shape
    self.strides = strides
    self.offset = offset
    count = shape.reduce(1, *)
    isContiguous = Layout.matches(shape, strides, Layout.strides(of: shape, .contiguous))
    isChannelsLast = shape.count >= 3 && Layout.matches(shape, strides, Layout.strides(of: shape, .channelsLast))
    isDense = isContiguous || isChannelsLast || Layout.fillsMemory(shape, strides)
  }

  /// A dense layout in the given format; a tensor of rank 2 or less is always contiguous.
  public init(_ shape: [Int], format: MemoryFormat = .contiguous) {
    self.init(shape: shape, strides: Layout.strides(of: shape, format))
  }

  /// Number of axes.
  public var rank: Int { shape.count }

  /// The format of a dense tensor; contiguous where both fit, or neither.
  public var format: MemoryFormat { !isContiguous && isChannelsLast ? .channelsLast : .contiguous }

  /// `axis` counted from the end if negative.
  ///
  /// - Traps: outside `-rank..<rank`.
  public func axis(_ axis: Int) -> Int {
    precondition(axis >= -rank && axis < rank, "axis \(axis) of a tensor of shape \(shape)")
    return axis < 0 ? axis + rank : axis
  }

  /// The same strides without the offset: what a new tensor in the same memory order has.
  public var withoutOffset: Layout { offset == 0 ? self : Layout(shape: shape, strides: strides) }

  /// Whether both have the same shape and memory order (axes of one element aside).
  public func hasSameOrder(as other: Layout) -> Bool {
    shape == other.shape && Layout.matches(shape, strides, other.strides)
  }

  /// Axes in the given order.
  public func permuted(_ axes: [Int]) -> Layout {
    let axes = axes.map(axis)
    precondition(Set(axes).count == rank && axes.count == rank, "permuted: \(axes) is no order of \(rank) axes")
    return Layout(shape: axes.map { shape[$0] }, strides: axes.map { strides[$0] }, offset: offset)
  }

  /// Positions `range` of one axis.
  public func sliced(axis: Int, _ range: Range<Int>) -> Layout {
    let axis = self.axis(axis)
    precondition(
      range.lowerBound >= 0 && range.upperBound <= shape[axis], "sliced: \(range) of axis \(axis) of \(shape)")
    var shape = shape
    shape[axis] = range.count
    return Layout(shape: shape, strides: strides, offset: offset + range.lowerBound * strides[axis])
  }

  /// Repeats axes of one element, and adds axes in front, as NumPy does.
  public func broadcast(to target: [Int]) -> Layout {
    let extra = target.count - rank
    precondition(extra >= 0, "broadcast: \(shape) to \(target)")
    var strides = [Int](repeating: 0, count: target.count)
    for axis in 0..<rank where shape[axis] == target[axis + extra] { strides[axis + extra] = self.strides[axis] }
    for axis in 0..<rank {
      precondition(shape[axis] == target[axis + extra] || shape[axis] == 1, "broadcast: \(shape) to \(target)")
    }
    return Layout(shape: target, strides: strides, offset: offset)
  }

  /// The same elements under another shape, or nil where that needs a copy.
  public func reshaped(to target: [Int]) -> Layout? {
    precondition(target.reduce(1, *) == count, "reshaped: \(shape) to \(target)")
    if isContiguous { return Layout(shape: target, strides: Layout.strides(of: target, .contiguous), offset: offset) }
    if count == 0 { return nil }
    // Axes that follow each other in memory merge to runs; the new axes must cut these runs.
    let old = shape.indices.filter { shape[$0] != 1 }
    var strides = [Int](repeating: 0, count: target.count)
    var at = 0
    var next = 0
    while at < old.count {
      var end = at + 1
      while end < old.count, self.strides[old[end - 1]] == self.strides[old[end]] * shape[old[end]] { end += 1 }
      let length = old[at..<end].reduce(1) { $0 * shape[$1] }
      var taken = 1
      let first = next
      while next < target.count, taken * target[next] <= length, taken < length || target[next] == 1 {
        taken *= target[next]
        next += 1
      }
      guard taken == length else { return nil }
      var stride = self.strides[old[end - 1]]
      for axis in (first..<next).reversed() {
        strides[axis] = stride
        stride *= target[axis]
      }
      at = end
    }
    return Layout(shape: target, strides: strides, offset: offset)
  }

  /// Strides of a dense tensor.
  public static func strides(of shape: [Int], _ format: MemoryFormat) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    var step = 1
    if format == .channelsLast && shape.count >= 3 {
      strides[1] = 1
      step = shape[1]
      for axis in (2..<shape.count).reversed() {
        strides[axis] = step
        step *= shape[axis]
      }
      strides[0] = step
      return strides
    }
    for axis in shape.indices.reversed() {
      strides[axis] = step
      step *= shape[axis]
    }
    return strides
  }

  private static func matches(_ shape: [Int], _ a: [Int], _ b: [Int]) -> Bool {
    for axis in shape.indices where shape[axis] != 1 && a[axis] != b[axis] { return false }
    return true
  }

  private static func fillsMemory(_ shape: [Int], _ strides: [Int]) -> Bool {
    var step = 1
    for axis in shape.indices.filter({ shape[$0] != 1 }).sorted(by: { strides[$0] < strides[$1] }) {
      guard strides[axis] == step else { return false }
      step *= shape[axis]
    }
    return true
  }
}
