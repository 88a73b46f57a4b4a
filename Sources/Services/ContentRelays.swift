import Coordination
import Wire

/// Pieces that the coordinator fetches from one worker for another, because it has the file itself no more, and the tickets
/// with which workers ask each other. Bounded: what is too much is refused.
struct ContentRelays {
  /// One piece under way.
  struct Relay {
    /// Who wants it, by its incarnation, and what it asked.
    let asker: UInt64
    let want: DownloadWant
    /// Why the coordinator does not send its own.
    let problem: String
    /// Who was asked for it, the last one now.
    var asked: [UInt64]
    var since: Int
  }

  /// How many pieces may be under way, and how many of them for one worker.
  static let limit = 4_096
  static let askerLimit = 256
  /// How long a worker may take for one piece, in milliseconds, before the next is asked.
  static let patience = 5_000
  /// How long a ticket lets somebody in, and after how long he gets a new one.
  static let validity = 600_000
  static let renewal = 300_000

  private(set) var pieces: [UInt64: Relay] = [:]
  private var counts: [UInt64: Int] = [:]
  private var number: UInt64 = 0
  private var tickets: [UInt64: [UInt64: (ticket: UInt64, at: Int)]] = [:]

  /// Whether so much is under way for a worker that it gets no more.
  func isFull(for asker: UInt64) -> Bool {
    pieces.count >= Self.limit || counts[asker, default: 0] >= Self.askerLimit
  }

  /// Notes a piece as asked for; its number in messages to workers.
  mutating func add(_ relay: Relay) -> UInt64 {
    number += 1
    pieces[number] = relay
    counts[relay.asker, default: 0] += 1
    return number
  }

  /// The piece that an answer brings, if it was asked of that worker. It is under way no more.
  mutating func take(_ number: UInt64, from worker: UInt64) -> Relay? {
    guard let relay = pieces[number], relay.asked.last == worker else { return nil }
    return drop(number)
  }

  @discardableResult
  mutating func drop(_ number: UInt64) -> Relay? {
    guard let relay = pieces.removeValue(forKey: number) else { return nil }
    counts[relay.asker]! -= 1
    if counts[relay.asker] == 0 { counts[relay.asker] = nil }
    return relay
  }

  /// The pieces that have taken too long, or whose worker is gone.
  func overdue(_ now: Int, isThere: (UInt64) -> Bool) -> [UInt64] {
    pieces.filter { now - $0.value.since > Self.patience || !isThere($0.value.asked.last!) }.map(\.key).sorted()
  }

  /// The ticket with which one worker asks another, and whether the other must be told of it.
  mutating func ticket(for asker: UInt64, at holder: UInt64, _ now: Int) -> (ticket: UInt64, isNew: Bool) {
    if let known = tickets[holder]?[asker], now - known.at < Self.renewal { return (known.ticket, false) }
    if tickets.count > 10_000 { tickets = [:] }
    if tickets[holder, default: [:]].count >= ContentServer.ticketsLimit { tickets[holder] = [:] }
    let ticket = UInt64.random(in: 1...UInt64.max)
    tickets[holder, default: [:]][asker] = (ticket, now)
    return (ticket, true)
  }

  /// A worker has lost the tickets that it knew: it has said Hello.
  mutating func forgetTickets(at holder: UInt64) { tickets[holder] = nil }
}
