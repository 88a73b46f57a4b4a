// Which image format a file is, by its content alone, and where its EXIF orientation stands.

/// Image formats that are recognised by their first bytes; any other picture is left to libav.
enum ImageFormat: String {
  case jpeg, png, webp, bmp

  init?(_ head: UnsafeRawBufferPointer) {
    let reader = ByteReader(head)
    if reader.integer(0, bytes: 3, bigEndian: true) == 0xFFD8FF {
      self = .jpeg
    } else if reader.integer(0, bytes: 4, bigEndian: true) == 0x8950_4E47,
      reader.integer(4, bytes: 4, bigEndian: true) == 0x0D0A_1A0A
    {
      self = .png
    } else if reader.ascii(0, "RIFF"), reader.ascii(8, "WEBP") {
      self = .webp
    } else if reader.ascii(0, "BM"), let header = reader.integer(14, bytes: 4, bigEndian: false),
      [12, 16, 40, 52, 56, 64, 108, 124].contains(header)
    {
      self = .bmp
    } else {
      return nil
    }
  }
}

/// Orientation (1 to 8) in an EXIF block that begins with its TIFF header; 1 when there is none or it makes no sense.
func exifOrientation(_ tiff: UnsafeRawBufferPointer) -> Int {
  let reader = ByteReader(tiff)
  let bigEndian: Bool
  if reader.ascii(0, "MM") {
    bigEndian = true
  } else if reader.ascii(0, "II") {
    bigEndian = false
  } else {
    return 1
  }
  guard reader.integer(2, bytes: 2, bigEndian: bigEndian) == 42,
    let directory = reader.integer(4, bytes: 4, bigEndian: bigEndian),
    let entries = reader.integer(directory, bytes: 2, bigEndian: bigEndian)
  else { return 1 }
  for entry in 0..<entries {
    let at = directory + 2 + entry * 12
    guard let tag = reader.integer(at, bytes: 2, bigEndian: bigEndian) else { return 1 }
    if tag == 0x0112, let value = reader.integer(at + 8, bytes: 2, bigEndian: bigEndian) {
      return (1...8).contains(value) ? value : 1
    }
  }
  return 1
}
