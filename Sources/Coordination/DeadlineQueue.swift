/// What is to be looked at when: a heap by time, so that a tick touches only what is due.
///
/// A subject's deadline usually moves on while it waits here. Nothing is moved in the heap for that: whoever takes an
/// entry looks at its subject, and puts it back with the deadline that it has by then.
struct DeadlineQueue: Sendable {
  enum Subject: Sendable, Hashable {
    case worker(UInt64)
    case attempt(token: UInt64)
  }

  private struct Entry: Sendable {
    let due: Milliseconds
    let number: Int
    let subject: Subject

    func isBefore(_ other: Entry) -> Bool { (due, number) < (other.due, other.number) }
  }

  private var entries: [Entry] = []
  private var number = 0

  mutating func put(_ due: Milliseconds, _ subject: Subject) {
    number += 1
    entries.append(Entry(due: due, number: number, subject: subject))
    var child = entries.count - 1
    while child > 0, entries[child].isBefore(entries[(child - 1) / 2]) {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// The earliest entry that is due; equal ones in the order in which they were put in.
  mutating func take(dueBy now: Milliseconds) -> (due: Milliseconds, subject: Subject)? {
    guard let first = entries.first, first.due <= now else { return nil }
    let last = entries.removeLast()
    if !entries.isEmpty {
      entries[0] = last
      var parent = 0
      while true {
        var least = parent
        for child in [2 * parent + 1, 2 * parent + 2]
        where child < entries.count && entries[child].isBefore(entries[least]) { least = child }
        if least == parent { break }
        entries.swapAt(parent, least)
        parent = least
      }
    }
    return (first.due, first.subject)
  }
}
