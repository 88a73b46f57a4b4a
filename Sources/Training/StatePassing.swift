import Foundation
import ShardTree

/// Brings a checkpoint from one member of a group to the others, on the way that their sums take.
struct StatePassing {
  let reducer: any ShardReducer
  let membership: Membership
  let donor: Int

  /// Bytes that are passed at a time.
  private static let piece = 4 << 20

  /// Hands a file to all others.
  func send(_ file: URL) throws {
    let content = try Data(contentsOf: file, options: .alwaysMapped)
    var size = Int64(content.count)
    let room = Room(bytes: Self.piece)
    withUnsafeMutableBytes(of: &size) { room.memory.copyMemory(from: $0.baseAddress!, byteCount: 8) }
    try pass(8, room)
    for begin in stride(from: 0, to: content.count, by: Self.piece) {
      let count = min(Self.piece, content.count - begin)
      content.withUnsafeBytes { room.memory.copyMemory(from: $0.baseAddress! + begin, byteCount: count) }
      try pass(count, room)
    }
  }

  /// Takes the file; a member that does not need it takes part all the same.
  func receive(to file: URL?) throws {
    let room = Room(bytes: Self.piece)
    try pass(8, room)
    let size = Int(room.memory.load(as: Int64.self))
    guard (1...(64 << 30)).contains(size) else {
      throw TrainingError("member \(donor) hands over a state of \(size) bytes, which cannot be")
    }
    var handle: FileHandle?
    if let file {
      guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
        throw TrainingError("\(file.path) cannot be made for the state of another member; free some space")
      }
      handle = try FileHandle(forWritingTo: file)
    }
    defer { try? handle?.close() }
    for begin in stride(from: 0, to: size, by: Self.piece) {
      let count = min(Self.piece, size - begin)
      try pass(count, room)
      try handle?.write(contentsOf: Data(bytes: room.memory, count: count))
    }
  }

  private func pass(_ bytes: Int, _ room: Room) throws {
    // Nothing is added to it, so that any bytes may travel as numbers.
    let own = membership.rank == donor ? [UnsafeRawPointer(room.memory)] : []
    try reducer.reduce(
      .float32, GroupShape(from: donor, members: membership.count), own: own, into: room.memory,
      count: (bytes + 3) / 4, owner: room)
  }

  /// Memory that does not move.
  private final class Room: @unchecked Sendable {
    let memory: UnsafeMutableRawPointer

    init(bytes: Int) {
      memory = .allocate(byteCount: bytes, alignment: 64)
      memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    }

    deinit { memory.deallocate() }
  }
}
