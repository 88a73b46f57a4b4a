import Foundation

/// A zip archive whose files are stored uncompressed, mapped into memory: what `torch.save` writes. Zip64 included.
///
/// Nothing of the archive is trusted: every number is checked against the file's own length before it is used, and no two
/// files may share bytes.
struct ZipArchive: Sendable {
  /// One stored file.
  private struct Entry: Sendable {
    let range: Range<Int>
    let checksum: UInt32
  }

  let path: String
  let file: MappedFile
  /// The files' names, in the order of the archive's directory.
  let names: [String]
  private let entries: [String: Entry]

  // PyTorch writes one file a tensor; no model has nearly as many.
  private static let entryLimit = 1_000_000

  /// - Throws: `WeightFileError` unless the whole directory is well-formed.
  init(_ url: URL) throws(WeightFileError) {
    path = url.path
    do {
      file = try MappedFile(url.path)
    } catch {
      throw WeightFileError(url.path, error.reason)
    }
    do {
      let reader = LittleEndianReader(file.bytes)
      let directory = try ZipArchive.directory(reader)
      var at = directory.start
      var names: [String] = []
      var entries: [String: Entry] = [:]
      for _ in 0..<directory.count {
        let (name, entry, next) = try ZipArchive.entry(reader, at: at, before: directory.start)
        guard next <= directory.end else { throw ZipProblem("its directory is longer than it says") }
        if let entry, entries.updateValue(entry, forKey: name) != nil {
          throw ZipProblem("\(quoted(name)) is in it twice")
        }
        if entry != nil { names.append(name) }
        at = next
      }
      let ranges = entries.values.map(\.range).filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
      for (first, second) in zip(ranges, ranges.dropFirst()) where first.upperBound > second.lowerBound {
        throw ZipProblem("two of its files share bytes")
      }
      (self.names, self.entries) = (names, entries)
    } catch let problem as ZipProblem {
      throw WeightFileError(url.path, problem.reason)
    } catch {
      preconditionFailure("ZipArchive: \(error)")
    }
  }

  /// The bytes of a file, nil if there is none of this name.
  ///
  /// - Throws: `WeightFileError` if they do not have the checksum that the archive states.
  func bytes(_ name: String) throws(WeightFileError) -> UnsafeRawBufferPointer? {
    guard let entry = entries[name] else { return nil }
    let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[entry.range])
    guard crc32(bytes) == entry.checksum else {
      throw WeightFileError(path, "\(quoted(name)) in it is damaged; copy the file again")
    }
    return bytes
  }

  /// Where the directory of an archive lies, and how many files it lists.
  private static func directory(_ reader: LittleEndianReader) throws -> (start: Int, end: Int, count: Int) {
    // The end record is 22 bytes and a comment of up to 65,535 that reaches exactly to the end of the file.
    let last = reader.count - 22
    var end = last
    while true {
      guard end >= 0, end >= last - 0xFFFF else { throw ZipProblem("it is no zip archive, or is cut off") }
      if try reader.integer(end, 4) == 0x0605_4b50, try reader.integer(end + 20, 2) == reader.count - end - 22 { break }
      end -= 1
    }
    var count = try reader.integer(end + 10, 2)
    var size = try reader.integer(end + 12, 4)
    var start = try reader.integer(end + 16, 4)
    var limit = end
    if count == 0xFFFF || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
      guard try reader.integer(end - 20, 4) == 0x0706_4b50 else { throw ZipProblem("its zip64 directory is missing") }
      limit = try reader.integer(end - 12, 8)
      guard try reader.integer(limit, 4) == 0x0606_4b50 else { throw ZipProblem("its zip64 directory is missing") }
      count = try reader.integer(limit + 32, 8)
      size = try reader.integer(limit + 40, 8)
      start = try reader.integer(limit + 48, 8)
    }
    guard start >= 0, size >= 0, size <= limit, start <= limit - size, count >= 0, count <= min(entryLimit, size / 46)
    else { throw ZipProblem("its directory lies outside it") }
    return (start, start + size, count)
  }

  /// One entry of the directory; nil for a folder.
  private static func entry(
    _ reader: LittleEndianReader, at: Int, before limit: Int
  ) throws -> (name: String, entry: Entry?, next: Int) {
    guard try reader.integer(at, 4) == 0x0201_4b50 else { throw ZipProblem("its directory is damaged") }
    let (flags, method) = (try reader.integer(at + 8, 2), try reader.integer(at + 10, 2))
    let checksum = UInt32(try reader.integer(at + 16, 4))
    var (packed, size) = (try reader.integer(at + 20, 4), try reader.integer(at + 24, 4))
    let (nameLength, extraLength) = (try reader.integer(at + 28, 2), try reader.integer(at + 30, 2))
    let commentLength = try reader.integer(at + 32, 2)
    var header = try reader.integer(at + 42, 4)
    let nameBytes = try reader.bytes(at + 46, nameLength)
    guard let name = String(validating: nameBytes, as: UTF8.self) else { throw ZipProblem("a name in it is not UTF-8") }
    // The zip64 field holds, in this order, those of the three numbers that did not fit.
    var extra = at + 46 + nameLength
    let extraEnd = extra + extraLength
    while extra + 4 <= extraEnd {
      let (kind, length) = (try reader.integer(extra, 2), try reader.integer(extra + 2, 2))
      guard extra + 4 + length <= extraEnd else { throw ZipProblem("\(quoted(name)) in it has a damaged entry") }
      if kind == 1 {
        var field = extra + 4
        func wide(_ value: inout Int) throws {
          guard value == 0xFFFF_FFFF else { return }
          guard field + 8 <= extra + 4 + length else { throw ZipProblem("\(quoted(name)) in it has a damaged entry") }
          value = try reader.integer(field, 8)
          field += 8
        }
        try wide(&size)
        try wide(&packed)
        try wide(&header)
      }
      extra += 4 + length
    }
    let next = extraEnd + commentLength
    if name.hasSuffix("/") { return (name, nil, next) }
    guard flags & 1 == 0 else { throw ZipProblem("\(quoted(name)) in it is encrypted") }
    guard method == 0, packed == size else {
      throw ZipProblem("\(quoted(name)) in it is compressed, which torch.save never does")
    }
    guard try reader.integer(header, 4) == 0x0403_4b50, try reader.integer(header + 26, 2) == nameLength,
      try reader.bytes(header + 30, nameLength).elementsEqual(nameBytes)
    else { throw ZipProblem("\(quoted(name)) is not where its directory says") }
    let start = header + 30 + nameLength + (try reader.integer(header + 28, 2))
    guard size >= 0, start <= limit, size <= limit - start else {
      throw ZipProblem("\(quoted(name)) reaches beyond its end; it may be cut off")
    }
    return (name, Entry(range: start..<(start + size), checksum: checksum), next)
  }
}

/// What is wrong with an archive.
struct ZipProblem: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// Whole numbers out of bytes, each read within bounds.
struct LittleEndianReader {
  private let memory: UnsafeRawBufferPointer

  init(_ memory: UnsafeRawBufferPointer) { self.memory = memory }

  var count: Int { memory.count }

  /// A number of `length` bytes; one of 8 that no `Int` holds is refused.
  func integer(_ at: Int, _ length: Int) throws -> Int {
    guard at >= 0, at <= memory.count - length else { throw ZipProblem("it is cut off") }
    var value: UInt64 = 0
    for index in (0..<length).reversed() { value = value << 8 | UInt64(memory[at + index]) }
    guard let number = Int(exactly: value) else { throw ZipProblem("a number in it is impossible") }
    return number
  }

  func bytes(_ at: Int, _ length: Int) throws -> UnsafeRawBufferPointer {
    guard at >= 0, length >= 0, at <= memory.count - length else { throw ZipProblem("it is cut off") }
    return UnsafeRawBufferPointer(rebasing: memory[at..<(at + length)])
  }
}

/// Eight tables, so that eight bytes are taken at once: checking a file must not take longer than reading it.
private let crcTables: [UInt32] = {
  var tables = [UInt32](repeating: 0, count: 8 * 256)
  for index in 0..<256 {
    var value = UInt32(index)
    for _ in 0..<8 { value = value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    tables[index] = value
  }
  for table in 1..<8 {
    for index in 0..<256 {
      let before = tables[(table - 1) * 256 + index]
      tables[table * 256 + index] = before >> 8 ^ tables[Int(before & 0xFF)]
    }
  }
  return tables
}()

/// The checksum of zip archives.
func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
  crcTables.withUnsafeBufferPointer { tables in
    var sum: UInt32 = ~0
    var at = 0
    let whole = bytes.count & ~7
    while at < whole {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) ^ UInt64(sum)
      sum = 0
      for lane in 0..<8 { sum ^= tables[(7 &- lane) &* 256 &+ Int(word >> (8 &* UInt64(lane)) & 0xFF)] }
      at &+= 8
    }
    while at < bytes.count {
      sum = sum >> 8 ^ tables[Int((sum ^ UInt32(bytes[at])) & 0xFF)]
      at &+= 1
    }
    return ~sum
  }
}
