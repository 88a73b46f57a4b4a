internal import CKernels
import Tensor

/// What padding is filled with.
public enum Padding: Sendable, Hashable {
  /// One value.
  case constant(Float)
  /// The inputs mirrored at the edge, the edge itself not repeated.
  case reflect
  /// The edge repeated.
  case replicate
  /// The inputs repeated from the other end.
  case circular
}

/// Adds `before` and `after` positions to the last axes; negative amounts cut positions off.
///
/// - Traps: if a reflection needs more inputs than there are, or nothing is left.
public func pad(_ x: Variable, before: [Int], after: [Int], with padding: Padding) -> Variable {
  let count = before.count
  precondition(count == after.count && count > 0 && count <= x.shape.count, "pad: \(before), \(after) of \(x.shape)")
  let first = x.shape.count - count
  // Three axes at a time, the last ones first.
  let early = max(0, count - 3)
  let last = pad(x, axes: first + early..<x.shape.count, Array(before[early...]), Array(after[early...]), padding)
  if early == 0 { return last }
  precondition(early <= 3, "pad: \(count) axes")
  return pad(last, axes: first..<first + early, Array(before[..<early]), Array(after[..<early]), padding)
}

private func pad(_ x: Variable, axes: Range<Int>, _ before: [Int], _ after: [Int], _ padding: Padding) -> Variable {
  let (first, count) = (axes.lowerBound, axes.count)
  // Channels-last stays so where only spatial axes are padded.
  let lasts = first >= 2 && axes.upperBound == x.shape.count && x.value.layout.format == .channelsLast
  let input = lasts ? x.value : x.value.contiguous()
  // In channels-last memory the spatial axes that are not padded still lie between N and the padded ones.
  let outer = lasts ? x.shape[0] * x.shape[2..<first].reduce(1, *) : x.shape[..<first].reduce(1, *)
  let inner = lasts ? x.shape[1] : x.shape[axes.upperBound...].reduce(1, *)
  let sources = (0..<count).map { source(length: x.shape[first + $0], before[$0], after[$0], padding) }
  let maps = Array(repeating: [Int32(0)], count: 3 - count) + sources
  let sizes = Array(repeating: Int64(1), count: 3 - count) + x.shape[axes].map(Int64.init)
  let padded = maps.map { Int64($0.count) }
  var value: Float = 0
  if case .constant(let given) = padding { value = given }

  func run(_ body: (UnsafePointer<UnsafePointer<Int32>?>) -> Void) {
    maps[0].withUnsafeBufferPointer { d in
      maps[1].withUnsafeBufferPointer { h in
        maps[2].withUnsafeBufferPointer { w in
          body([d.baseAddress, h.baseAddress, w.baseAddress])
        }
      }
    }
  }
  let format: MemoryFormat = lasts ? .channelsLast : .contiguous
  let shape = x.shape
  let y = Tensor(shape[..<first] + sources.map(\.count) + shape[axes.upperBound...], format: format) { y in
    input.withFloats { x in
      run { dk_pad(Int64(outer), sizes, padded, Int64(inner), $0, value, x.baseAddress, y.baseAddress) }
    }
  }
  return Tape.record(y, [x]) { g in
    let g = g.inFormat(format)
    let dx = Tensor(shape, format: format) { dx in
      g.withFloats { g in
        run { dk_pad_transposed(Int64(outer), sizes, padded, Int64(inner), $0, g.baseAddress, dx.baseAddress) }
      }
    }
    return [dx]
  }
}

/// For each padded position the input that it takes; -1 for a constant.
private func source(length: Int, _ before: Int, _ after: Int, _ padding: Padding) -> [Int32] {
  precondition(length + before + after > 0, "pad: nothing left of an axis of \(length) after \(before), \(after)")
  return (-before..<length + after).map { position in
    if (0..<length).contains(position) { return Int32(position) }
    switch padding {
    case .constant: return -1
    case .replicate: return Int32(position < 0 ? 0 : length - 1)
    case .circular: return Int32((position % length + length) % length)
    case .reflect:
      let mirrored = position < 0 ? -position : 2 * (length - 1) - position
      precondition((0..<length).contains(mirrored), "pad: cannot reflect \(before), \(after) of an axis of \(length)")
      return Int32(mirrored)
    }
  }
}
