import Tensor

/// Small changes to a picture or clip that do not change whether it is fake: flip, shift, brightness and contrast, and,
/// for single pictures, noise and a trace of block coding. All frames of a clip are changed alike.
struct PictureAugmentation {
  private var isFlipped = false
  private var (shiftX, shiftY) = (0, 0)
  private var (contrast, brightness): (Float, Float) = (1, 0)
  private var (noise, blocks): (Float, Float) = (0, 0)
  private var seed: UInt64 = 0

  /// Draws what to do; without `random`, nothing is changed.
  ///
  /// - Parameter isFaint: leaves out noise and block coding, which would drown differences between frames.
  init(random: RandomStream?, size: Int, isFaint: Bool) {
    guard var random else { return }
    let reach = size / 12
    isFlipped = random.chance(0.5)
    (shiftX, shiftY) = (random.below(2 * reach + 1) - reach, random.below(2 * reach + 1) - reach)
    contrast = Float(random.uniform(0.9..<1.1))
    brightness = Float(random.uniform(-0.05..<0.05))
    guard !isFaint else { return }
    if random.chance(0.5) { noise = Float(random.uniform(0..<0.02)) }
    if random.chance(0.5) { blocks = Float(random.uniform(0..<0.015)) }
    seed = random.next()
  }

  /// Writes frames `[frames, size, size, 3]` as `(value·contrast + brightness - mean) / deviation`; shifted-in borders
  /// repeat the edge.
  func write(
    _ bytes: ArraySlice<UInt8>, frames: Int, size: Int, mean: [Float], deviation: [Float],
    to out: UnsafeMutableBufferPointer<Float>
  ) {
    var scale: (Float, Float, Float) = (0, 0, 0)
    var offset: (Float, Float, Float) = (0, 0, 0)
    scale = (contrast / 255 / deviation[0], contrast / 255 / deviation[1], contrast / 255 / deviation[2])
    // Contrast turns around mid-grey.
    let lift = brightness + (1 - contrast) / 2
    offset = ((lift - mean[0]) / deviation[0], (lift - mean[1]) / deviation[1], (lift - mean[2]) / deviation[2])
    let columns = (0..<size).map { column in
      3 * min(size - 1, max(0, (isFlipped ? size - 1 - column : column) + shiftX))
    }
    bytes.withUnsafeBufferPointer { source in
      columns.withUnsafeBufferPointer { columns in
        var target = out.baseAddress!
        for frame in 0..<frames {
          for row in 0..<size {
            let line = source.baseAddress! + (frame &* size &+ min(size - 1, max(0, row + shiftY))) &* size &* 3
            for column in 0..<size {
              let pixel = line + columns[column]
              target[0] = Float(pixel[0]) * scale.0 + offset.0
              target[1] = Float(pixel[1]) * scale.1 + offset.1
              target[2] = Float(pixel[2]) * scale.2 + offset.2
              target += 3
            }
          }
        }
      }
    }
    if noise > 0 { addNoise(deviation, to: out) }
    if blocks > 0 { addBlocks(size, deviation, to: out) }
  }

  private func addNoise(_ deviation: [Float], to out: UnsafeMutableBufferPointer<Float>) {
    var source = PixelNoise(seed: seed)
    let strength = noise / deviation[1]
    for index in out.indices { out[index] += strength * source.normal() }
  }

  /// A constant error for each 8×8 block, as coarse coding of block means leaves it.
  private func addBlocks(_ size: Int, _ deviation: [Float], to out: UnsafeMutableBufferPointer<Float>) {
    var source = PixelNoise(seed: ~seed)
    let strength = blocks / deviation[1]
    for top in stride(from: 0, to: size, by: 8) {
      for left in stride(from: 0, to: size, by: 8) {
        let error = strength * source.normal()
        for row in top..<min(size, top + 8) {
          for index in (3 * (row * size + left))..<(3 * (row * size + min(size, left + 8))) { out[index] += error }
        }
      }
    }
  }
}
