public import Wire

/// The coordinator's side of one attempt's group: who is in it, how its members reach each other, and which steps count.
/// Pure: it does no I/O and reads no clock.
///
/// A group goes through numbered views. A view forms when every member has joined it; what is said in an earlier one
/// counts for nothing. Within a view a step is made when every member has voted for it with the same digest, and then by
/// all: so a member that is lost costs the others only the step under way, which they make again in the next view with
/// all shards spread over those left.
///
/// Members say how many steps they have made, so that a coordinator which starts anew needs to know nothing: the group
/// has made as many as its foremost member, for nobody makes a step before all have its sums. One that has voted, and
/// did not hear the answer, hears it from the next view. Whoever lacks more than that gets the state of one that has it;
/// if nobody who is left has it, the attempt ends, and the job goes on from its checkpoint.
///
/// Shards are spread by the time that members need for one, as soon as a few steps tell: a slow member gets fewer, and one
/// that holds the others up even with a single shard leaves the group. No result depends on that.
///
/// Every message may be lost, repeated or late: members repeat what is not answered, and each repetition is answered.
public struct GroupMachine: Sendable {
  /// What is to be done.
  public enum Action: Sendable, Equatable {
    /// Send a member a message.
    case send(UInt64, Message)
    /// The members contradict each other, and name the reason: the attempt must end.
    case broken(String)
    /// The others are sooner done without this member.
    case tooSlow(UInt64, String)
    /// Only a sentence for the log.
    case say(String)
  }

  /// A member, as the lease says.
  public struct Member: Sendable, Equatable {
    /// The worker's incarnation.
    public let id: UInt64
    /// The worker's name.
    public let name: String

    /// Names a member.
    public init(id: UInt64, name: String) { (self.id, self.name) = (id, name) }
  }

  private let job: String
  private let token: UInt64
  private let wanted: Route?
  private var members: [Member]
  private var view = 1
  private var reason = ""
  private var joins: [UInt64: GroupJoin] = [:]
  private var votes: [UInt64: StepVote] = [:]
  private var paces: [UInt64: ShardPace] = [:]
  /// Steps that were made in this view.
  private var stepsInView = 0
  /// Steps of one view before shards are spread anew; longer each time, so that a group whose times vary comes to rest.
  private var patience = 10
  private var unusable: Set<Route> = []
  /// How often each route failed without that steps were made over it.
  private var breaks: [Route: Int] = [:]
  /// The route that failed last, and between whom: if all of them are there in the next view, it was the route.
  private var suspect: (route: Route, members: [Member])?
  private var actions: [Action] = []
  /// The view that all have joined; nil while it forms.
  private var formed: GroupView?
  private var nextReminder: Milliseconds = .min
  /// Steps that the group has made, as far as is known here.
  private var steps = 0

  /// A group of these members.
  ///
  /// - Parameter route: the only one to use, if it can be; nil chooses the fastest that works.
  public init(job: String, token: UInt64, members: [Member], route: Route? = nil) {
    (self.job, self.token, self.members, wanted) = (job, token, members, route)
  }

  /// How the members reach each other, once they do.
  public var route: Route? { members.count > 1 ? formed?.route : nil }

  /// Whether it waits for members to join.
  public var isForming: Bool { formed == nil }

  /// The view that all members have joined; nil while it forms.
  public var formedView: Int? { formed?.view }

  /// Whether a member has yet to say something before the group goes on: that it joins the view, or has a step's sums.
  public func awaits(_ id: UInt64) -> Bool { formed == nil ? joins[id] == nil : votes[id] == nil }

  /// For people: the route and what limits it.
  public var description: String {
    guard let route else { return formed == nil && members.count > 1 ? "the group is forming" : "" }
    return "\(route.name) between \(members.count) workers, bound: \(route.bound(members: members.count))"
  }

  /// Members were lost or came: the order says the ranks.
  public mutating func change(to members: [Member], _ reason: String) -> [Action] {
    guard members != self.members else { return [] }
    self.members = members
    regroup(reason)
    return take()
  }

  /// A member is ready for a view.
  public mutating func join(_ id: UInt64, _ message: GroupJoin) -> [Action] {
    guard let rank = members.firstIndex(where: { $0.id == id }) else { return [] }
    steps = max(steps, message.steps)  // also if it dies before the view forms: others know that there is more
    if message.view > view || (formed != nil && message.view == view && joins[id] != message) {
      // An earlier coordinator was further, or the member has lost what it had in this view.
      view = max(view, message.view)
      regroup("worker \(members[rank].name) joins anew")
    } else if message.view < view {
      tell(rank)
    } else if var known = formed {
      known.rank = rank
      actions.append(.send(id, .groupView(known)))
    } else {
      joins[id] = message
      formIfComplete()
    }
    return take()
  }

  /// A member has the sums of a step.
  public mutating func vote(_ id: UInt64, _ message: StepVote) -> [Action] {
    guard let rank = members.firstIndex(where: { $0.id == id }) else { return [] }
    if message.view > view || (message.view == view && formed == nil) {
      // Nobody votes in a view that has not formed: an earlier coordinator has formed it.
      view = message.view
      regroup("the coordinator was started again")
    } else if message.view < view {
      tell(rank)
    } else if message.step < steps {
      commit(message.step, to: [members[rank]])
    } else if message.step > steps {
      regroup("worker \(members[rank].name) is a step ahead")
    } else {
      votes[id] = message
      decide()
    }
    return take()
  }

  /// A member cannot go on.
  public mutating func trouble(_ id: UInt64, _ message: GroupTrouble) -> [Action] {
    guard let rank = members.firstIndex(where: { $0.id == id }) else { return [] }
    guard message.view == view, let route = formed?.route else {
      if message.view >= view {
        view = message.view
        regroup("the coordinator was started again")
      } else {
        tell(rank)
      }
      return take()
    }
    guard !message.sentence.isEmpty else { return [] }  // it only tells a new coordinator of its view
    if message.isUnusable { unusable.insert(route) } else { suspect = (route, members) }
    regroup("worker \(members[rank].name): \(message.sentence)")
    return take()
  }

  /// Time has passed: whoever has not joined is told again.
  public mutating func tick(now: Milliseconds) -> [Action] {
    guard formed == nil, now >= nextReminder else { return [] }
    nextReminder = now + 500
    for rank in members.indices where joins[members[rank].id] == nil { tell(rank) }
    return take()
  }

  private mutating func take() -> [Action] {
    defer { actions = [] }
    return actions
  }

  // MARK: - Views

  private mutating func regroup(_ reason: String) {
    view += 1
    self.reason = reason
    (joins, votes, formed, stepsInView) = ([:], [:], nil, 0)
    actions.append(.say("the group of job \(job) forms anew: \(reason)"))
    for rank in members.indices { tell(rank) }
  }

  private mutating func tell(_ rank: Int) {
    let message = Regroup(job: job, token: token, view: view, rank: rank, reason: reason)
    actions.append(.send(members[rank].id, .regroup(message)))
  }

  private mutating func formIfComplete() {
    let joined = members.compactMap { joins[$0.id] }
    guard joined.count == members.count, let first = joined.first else { return }
    guard joined.allSatisfy({ $0.shards == first.shards }) else {
      return actions.append(.broken("members split a batch into \(Set(joined.map(\.shards)).sorted()) shards"))
    }
    // Whoever has voted for a step has its sums, and makes it when the view says that the group has.
    func reach(_ join: GroupJoin) -> Int { join.steps + (join.isPending ? 1 : 0) }
    let foremost = joined.firstIndex { $0.steps == steps } ?? joined.firstIndex { reach($0) == steps }
    guard let foremost else {
      return actions.append(.broken("nobody who is left has the state after step \(steps)"))
    }
    let lacking = joined.contains { reach($0) < steps }
    let places = joined.map(\.place)
    judgeRoute()
    let secret = places.reduce(UInt64(view)) { ($0 ^ $1.nonce) &* 0x9E37_79B9_7F4A_7C15 }
    let (route, remark) = choose(places)
    let counts = split(first.shards)
    let all = members.indices.map { rank in
      let low = counts[..<rank].reduce(0, +)
      return GroupMember(name: members[rank].name, low: low, high: low + counts[rank], place: places[rank])
    }
    let message = GroupView(
      job: job, token: token, view: view, rank: 0, steps: steps, route: route, secret: secret,
      donor: lacking ? foremost : nil, members: all)
    formed = message
    if members.count > 1 {
      actions.append(.say("job \(job) after step \(steps): \(description)" + (remark.isEmpty ? "" : "; \(remark)")))
    }
    for rank in members.indices {
      var own = message
      own.rank = rank
      actions.append(.send(members[rank].id, .groupView(own)))
    }
  }

  /// A route that failed may have failed with a member. If all are still there, it counts; the third time the route is
  /// left out.
  private mutating func judgeRoute() {
    guard let (route, former) = suspect else { return }
    suspect = nil
    guard former.allSatisfy(members.contains) else { return }
    breaks[route, default: 0] += 1
    if breaks[route]! > 2 { unusable.insert(route) }
  }

  /// The fastest route that the members have in common, or the wanted one.
  private func choose(_ places: [GroupPlace]) -> (Route, remark: String) {
    func reason(against route: Route) -> String? {
      if unusable.contains(route) { return "it failed before" }
      switch route {
      case .sharedMemory:
        return places[0].machine.isEmpty || places.contains { $0.machine != places[0].machine }
          ? "the members are not on one machine" : nil
      case .direct: return places.contains { $0.address.isEmpty } ? "a member has no address" : gap(between: places)
      case .coordinator: return nil
      }
    }
    let order = (wanted.map { [$0] } ?? []) + Route.allCases
    let route = order.first { reason(against: $0) == nil } ?? .coordinator
    if let wanted, wanted != route {
      return (route, "\(wanted.name) was wanted, but \(reason(against: wanted) ?? "cannot be used")")
    }
    guard wanted == nil, route == .coordinator, let reason = reason(against: .direct) else { return (route, "") }
    return (route, "\(Route.direct.name) cannot be used: \(reason)")
  }

  /// Why not all of these can connect to each other: the loopback leads nowhere but to the own machine.
  private func gap(between places: [GroupPlace]) -> String? {
    guard let one = places.firstIndex(where: \.isOnLoopback) else { return nil }
    let start = places[one].machine.prefix { $0 != " " }
    guard
      let other = places.firstIndex(where: { place in
        !place.isOnLoopback || !start.isEmpty && !place.machine.isEmpty && place.machine.prefix { $0 != " " } != start
      })
    else { return nil }
    return "\(members[one].name) reaches the coordinator by \(places[one].host), where \(members[other].name) cannot "
      + "connect to it"
  }

  // MARK: - Steps

  private mutating func decide() {
    guard votes.count == members.count else { return }
    guard Set(votes.values.map(\.digest)).count == 1 else {
      let said = members.map { "\($0.name) \(String(votes[$0.id]!.digest, radix: 16))" }.joined(separator: ", ")
      return actions.append(.broken("members have different sums of step \(steps): \(said)"))
    }
    steps += 1
    stepsInView += 1
    commit(steps - 1, to: members)
    if stepsInView == 10 { breaks[formed!.route] = nil }
    // The first steps of a view find nothing in the caches.
    if stepsInView > 2 { notePaces() }
    votes = [:]
    if stepsInView >= patience { spreadAnew() }
  }

  // MARK: - Shards

  private mutating func notePaces() {
    for (member, own) in zip(members, formed!.members) where own.high > own.low {
      guard let time = votes[member.id]?.microseconds, time > 0 else { continue }
      paces[member.id, default: ShardPace()].note(Double(time) / Double(own.high - own.low))
    }
  }

  /// Each member's time for a shard; who has not told yet is taken for one of the middle. Nil if nobody has.
  private var knownPaces: [Double]? {
    let known = members.compactMap { paces[$0.id] }.filter(\.isKnown).map(\.microseconds).sorted()
    guard !known.isEmpty else { return nil }
    return members.map { member in
      paces[member.id].flatMap { $0.isKnown ? $0.microseconds : nil } ?? known[known.count / 2]
    }
  }

  /// How many shards each member gets: evenly, unless another way is clearly sooner done.
  private func split(_ shards: Int) -> [Int] {
    let even = ShardSplit.even(shards, members: members.count)
    guard let paces = knownPaces else { return even }
    let best = ShardSplit.best(shards, paces: paces)
    return ShardSplit.time(best, paces: paces) * 1.2 < ShardSplit.time(even, paces: paces) ? best : even
  }

  private mutating func spreadAnew() {
    guard let view = formed, members.count > 1, let paces = knownPaces,
      let slowest = paces.indices.max(by: { paces[$0] < paces[$1] })
    else { return }
    let shards = view.members.last!.high
    let wanted = split(shards)
    let time = ShardSplit.time(wanted, paces: paces)
    let name = members[slowest].name
    let times = (paces[slowest] / paces.min()! * 10).rounded() / 10
    var others = paces
    others.remove(at: slowest)
    let without = ShardSplit.time(ShardSplit.best(shards, paces: others), paces: others)
    if without * 1.2 < time {
      patience *= 2
      let reason =
        "worker \(name) needs \(times) times as long for a shard as the quickest: the others go on without it"
      return actions.append(.tooSlow(members[slowest].id, reason))
    }
    let current = view.members.map { $0.high - $0.low }
    guard time * 1.2 < ShardSplit.time(current, paces: paces) else { return }
    patience *= 2
    regroup(
      "worker \(name) needs \(times) times as long for a shard as the quickest, and gets \(wanted[slowest]) of \(shards)"
    )
  }

  private mutating func commit(_ step: Int, to receivers: [Member]) {
    for member in receivers {
      let message = StepCommit(job: job, token: token, view: view, step: step)
      actions.append(.send(member.id, .stepCommit(message)))
    }
  }
}

extension GroupPlace {
  /// The host of its address.
  var host: String {
    let end = address.lastIndex(of: ":") ?? address.endIndex
    return String(address[..<end].dropFirst("tcp://".count))
  }

  /// Whether only processes of the same machine can connect to it.
  var isOnLoopback: Bool { host.hasPrefix("127.") || host == "[::1]" }
}
