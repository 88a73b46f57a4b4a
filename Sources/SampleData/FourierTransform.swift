// A radix-2 transform, enough for the vocoder's frames of 512; the training code has FFTW.

import Glibc

/// In-place complex transform of a fixed power-of-two length.
struct FourierTransform {
  let count: Int
  private let cosines: [Float]
  private let sines: [Float]

  init(_ count: Int) {
    precondition(count > 1 && count & (count - 1) == 0, "a transform's length must be a power of two, not \(count)")
    self.count = count
    cosines = (0..<(count / 2)).map { Float(cos(2 * Double.pi * Double($0) / Double(count))) }
    sines = (0..<(count / 2)).map { Float(sin(2 * Double.pi * Double($0) / Double(count))) }
  }

  /// Forward transform, or the inverse with its 1/count.
  func callAsFunction(_ re: inout [Float], _ im: inout [Float], inverse: Bool = false) {
    precondition(re.count == count && im.count == count, "a transform of \(count) was given \(re.count) values")
    var j = 0
    for i in 1..<count {
      var bit = count >> 1
      while j & bit != 0 {
        j ^= bit
        bit >>= 1
      }
      j ^= bit
      if i < j {
        re.swapAt(i, j)
        im.swapAt(i, j)
      }
    }
    var length = 2
    while length <= count {
      let half = length / 2, step = count / length
      for start in stride(from: 0, to: count, by: length) {
        for k in 0..<half {
          let c = cosines[k * step], s = inverse ? sines[k * step] : -sines[k * step]
          let i = start + k, m = i + half
          let tr = re[m] * c - im[m] * s, ti = re[m] * s + im[m] * c
          re[m] = re[i] - tr
          im[m] = im[i] - ti
          re[i] += tr
          im[i] += ti
        }
      }
      length *= 2
    }
    if inverse {
      let scale = 1 / Float(count)
      for i in 0..<count {
        re[i] *= scale
        im[i] *= scale
      }
    }
  }
}
