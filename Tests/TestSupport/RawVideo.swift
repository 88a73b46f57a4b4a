public import Foundation

/// An AVI file of uncompressed frames: what a test draws is to the byte what a decoder gives.
///
/// - Parameter frames: RGB, rows from the top, each `width * height * 3` bytes; `width` is a multiple of 4.
public func rawVideo(_ frames: [[UInt8]], width: Int, height: Int, rate: Int = 25) -> Data {
  precondition(width % 4 == 0 && frames.allSatisfy { $0.count == width * height * 3 })
  func number(_ value: Int, _ bytes: Int = 4) -> Data {
    Data((0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
  }
  func chunk(_ name: String, _ content: Data) -> Data {
    Data(name.utf8) + number(content.count) + content + Data(repeating: 0, count: content.count % 2)
  }
  func list(_ kind: String, _ content: Data) -> Data { chunk("LIST", Data(kind.utf8) + content) }
  let size = width * height * 3
  var main = Data()
  for value in [1_000_000 / rate, size * rate, 0, 0x10, frames.count, 0, 1, size, width, height, 0, 0, 0, 0] {
    main += number(value)
  }
  var stream = Data("vidsDIB ".utf8)
  for value in [0, 0, 0, 1, rate, 0, frames.count, size, 0, 0] { stream += number(value) }
  stream += number(0, 2) + number(0, 2) + number(width, 2) + number(height, 2)
  var format = number(40) + number(width) + number(height) + number(1, 2) + number(24, 2)
  for value in [0, size, 0, 0, 0, 0] { format += number(value) }
  let header = list("hdrl", chunk("avih", main) + list("strl", chunk("strh", stream) + chunk("strf", format)))
  var (movie, index) = (Data(), Data())
  for frame in frames {
    index += Data("00db".utf8) + number(0x10) + number(4 + movie.count) + number(size)
    // Blue, green, red, rows from the bottom.
    var pixels = Data(capacity: size)
    for row in stride(from: height - 1, through: 0, by: -1) {
      for x in 0..<width {
        let at = (row * width + x) * 3
        pixels.append(contentsOf: [frame[at + 2], frame[at + 1], frame[at]])
      }
    }
    movie += chunk("00db", pixels)
  }
  return chunk("RIFF", Data("AVI ".utf8) + header + list("movi", movie) + chunk("idx1", index))
}
