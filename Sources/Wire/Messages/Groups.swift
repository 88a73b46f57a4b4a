import CWire

// Messages by which the members of a group find each other and agree on each step.

/// Where a member can be reached by the others, and what it needs for that.
public struct GroupPlace: Sendable, Equatable {
  /// Its machine: only members with the same one can share memory. Empty if it cannot share any.
  public var machine: String
  /// Its process there.
  public var process: Int
  /// The handle of its shared memory.
  public var handle: Int
  /// A number drawn for this attempt and view.
  public var nonce: UInt64
  /// Where it listens; empty if nobody can connect to it.
  public var address: String
  /// The key to expect there; empty without encryption.
  public var key: String

  /// Makes the part.
  public init(machine: String, process: Int, handle: Int, nonce: UInt64, address: String, key: String) {
    (self.machine, self.process, self.handle, self.nonce) = (machine, process, handle, nonce)
    (self.address, self.key) = (address, key)
  }
}

extension GroupPlace: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_group_place() }

  func fill(_ raw: inout Unmask__GroupPlace, _ arena: Arena) {
    raw.machine = arena.text(machine)
    raw.process = UInt64(process)
    raw.handle = UInt32(handle)
    raw.nonce = nonce
    raw.address = arena.text(address)
    raw.key = arena.text(key)
  }

  init(reading raw: Unmask__GroupPlace) throws {
    machine = try text(raw.machine, "GroupPlace.machine")
    process = try number(raw.process, "GroupPlace.process", in: 0...1 << 30)
    handle = try number(raw.handle, "GroupPlace.handle", in: 0...1 << 30)
    nonce = raw.nonce
    address = try text(raw.address, "GroupPlace.address")
    key = try text(raw.key, "GroupPlace.key")
  }
}

/// A member of a group that has formed.
public struct GroupMember: Sendable, Equatable {
  /// The worker's name.
  public var name: String
  /// Its first shard.
  public var low: Int
  /// One past its last shard.
  public var high: Int
  /// Where it can be reached.
  public var place: GroupPlace

  /// Makes the part.
  public init(name: String, low: Int, high: Int, place: GroupPlace) {
    (self.name, self.low, self.high, self.place) = (name, low, high, place)
  }
}

extension GroupMember: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_group_member() }

  func fill(_ raw: inout Unmask__GroupMember, _ arena: Arena) {
    raw.name = arena.text(name)
    raw.low = UInt32(low)
    raw.high = UInt32(high)
    raw.place = arena.make(place)
  }

  init(reading raw: Unmask__GroupMember) throws {
    name = try text(raw.name, "GroupMember.name")
    low = try number(raw.low, "GroupMember.low", in: 0...Limits.shards)
    high = try number(raw.high, "GroupMember.high", in: low...Limits.shards)
    place = try part(raw.place, "GroupMember.place")
  }
}

/// Worker: "I am ready for this view of the group." Answers `Regroup`, and begins a member's part in an attempt.
public struct GroupJoin: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// Which view of the group; views only rise.
  public var view: Int
  /// Into how many shards a batch is split.
  public var shards: Int
  /// Steps that it has made.
  public var steps: Int
  /// Whether it has the sums of one more, and has said so.
  public var isPending: Bool
  /// Where it can be reached.
  public var place: GroupPlace

  /// Makes the message.
  public init(job: String, token: UInt64, view: Int, shards: Int, steps: Int, isPending: Bool, place: GroupPlace) {
    (self.job, self.token, self.view, self.shards) = (job, token, view, shards)
    (self.steps, self.isPending, self.place) = (steps, isPending, place)
  }
}

extension GroupJoin: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_group_join() }

  func fill(_ raw: inout Unmask__GroupJoin, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.view = UInt64(view)
    raw.shards = UInt32(shards)
    raw.steps = UInt64(steps)
    raw.pending = isPending ? 1 : 0
    raw.place = arena.make(place)
  }

  init(reading raw: Unmask__GroupJoin) throws {
    job = try word(raw.job, "GroupJoin.job")
    token = raw.token
    view = try number(raw.view, "GroupJoin.view", in: 1...Limits.views)
    shards = try number(raw.shards, "GroupJoin.shards", in: 1...Limits.shards)
    steps = try number(raw.steps, "GroupJoin.steps", in: 0...largeNumber)
    isPending = try number(raw.pending, "GroupJoin.pending", in: 0...1) == 1
    place = try part(raw.place, "GroupJoin.place")
  }
}

/// Coordinator: "The group changes: stop the step, and join this view."
public struct Regroup: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// The view to join.
  public var view: Int
  /// The member's number from now on.
  public var rank: Int
  /// Why.
  public var reason: String

  /// Makes the message.
  public init(job: String, token: UInt64, view: Int, rank: Int, reason: String) {
    (self.job, self.token, self.view, self.rank, self.reason) = (job, token, view, rank, reason)
  }
}

extension Regroup: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_regroup() }

  func fill(_ raw: inout Unmask__Regroup, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.view = UInt64(view)
    raw.rank = UInt32(rank)
    raw.reason = arena.text(reason, limit: Limits.sentence)
  }

  init(reading raw: Unmask__Regroup) throws {
    job = try word(raw.job, "Regroup.job")
    token = raw.token
    view = try number(raw.view, "Regroup.view", in: 1...Limits.views)
    rank = try number(raw.rank, "Regroup.rank", in: 0...Limits.members - 1)
    reason = try text(raw.reason, "Regroup.reason", limit: Limits.sentence)
  }
}

/// Coordinator: "All have joined: this is the group." Also says which steps count.
public struct GroupView: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// Which view.
  public var view: Int
  /// The receiver's number.
  public var rank: Int
  /// Steps that the group has made: a member that waits for the agreement on the last of them has it herewith.
  public var steps: Int
  /// How members reach each other.
  public var route: Route
  /// A number that only members know.
  public var secret: UInt64
  /// The member whose state those get that have made fewer steps.
  public var donor: Int?
  /// All members, by rank.
  public var members: [GroupMember]

  /// Makes the message.
  public init(
    job: String, token: UInt64, view: Int, rank: Int, steps: Int, route: Route, secret: UInt64, donor: Int?,
    members: [GroupMember]
  ) {
    (self.job, self.token, self.view, self.rank, self.steps) = (job, token, view, rank, steps)
    (self.route, self.secret, self.donor, self.members) = (route, secret, donor, members)
  }
}

extension GroupView: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_group_view() }

  func fill(_ raw: inout Unmask__GroupView, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.view = UInt64(view)
    raw.rank = UInt32(rank)
    raw.steps = UInt64(steps)
    raw.route = route.rawValue
    raw.secret = secret
    raw.donor = donor.map { UInt32($0 + 1) } ?? 0
    (raw.n_members, raw.members) = arena.make(members)
  }

  init(reading raw: Unmask__GroupView) throws {
    job = try word(raw.job, "GroupView.job")
    token = raw.token
    view = try number(raw.view, "GroupView.view", in: 1...Limits.views)
    steps = try number(raw.steps, "GroupView.steps", in: 0...largeNumber)
    route = try choice(raw.route, "GroupView.route")
    secret = raw.secret
    members = try parts(raw.n_members, raw.members, "GroupView.members", limit: Limits.members)
    guard !members.isEmpty, members[0].low == 0,
      zip(members, members.dropFirst()).allSatisfy({ $0.high == $1.low })
    else { throw WireError("GroupView.members do not have all shards, each once") }
    rank = try number(raw.rank, "GroupView.rank", in: 0...members.count - 1)
    let donor = try number(raw.donor, "GroupView.donor", in: 0...members.count)
    self.donor = donor == 0 ? nil : donor - 1
  }
}

/// Worker: "I have the sums of this step." It is made when all have said so, with the same digest.
public struct StepVote: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// In which view.
  public var view: Int
  /// How many steps were made before.
  public var step: Int
  /// Of all sums.
  public var digest: UInt64
  /// What this member's shards took; 0 if that is not known.
  public var microseconds: Int

  /// Makes the message.
  public init(job: String, token: UInt64, view: Int, step: Int, digest: UInt64, microseconds: Int = 0) {
    (self.job, self.token, self.view, self.step) = (job, token, view, step)
    (self.digest, self.microseconds) = (digest, microseconds)
  }
}

extension StepVote: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_step_vote() }

  func fill(_ raw: inout Unmask__StepVote, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.view = UInt64(view)
    raw.step = UInt64(step)
    raw.digest = digest
    raw.microseconds = UInt64(microseconds)
  }

  init(reading raw: Unmask__StepVote) throws {
    job = try word(raw.job, "StepVote.job")
    token = raw.token
    view = try number(raw.view, "StepVote.view", in: 1...Limits.views)
    step = try number(raw.step, "StepVote.step", in: 0...largeNumber)
    digest = raw.digest
    microseconds = try number(raw.microseconds, "StepVote.microseconds", in: 0...largeNumber)
  }
}

/// Coordinator: "All have the sums: make the step."
public struct StepCommit: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// In which view.
  public var view: Int
  /// How many steps were made before.
  public var step: Int

  /// Makes the message.
  public init(job: String, token: UInt64, view: Int, step: Int) {
    (self.job, self.token, self.view, self.step) = (job, token, view, step)
  }
}

extension StepCommit: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_step_commit() }

  func fill(_ raw: inout Unmask__StepCommit, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.view = UInt64(view)
    raw.step = UInt64(step)
  }

  init(reading raw: Unmask__StepCommit) throws {
    job = try word(raw.job, "StepCommit.job")
    token = raw.token
    view = try number(raw.view, "StepCommit.view", in: 1...Limits.views)
    step = try number(raw.step, "StepCommit.step", in: 0...largeNumber)
  }
}

/// Worker: "I cannot go on in this view." Answered by `Regroup`.
public struct GroupTrouble: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// In which view.
  public var view: Int
  /// Whether the route could not even be opened; otherwise it broke.
  public var isUnusable: Bool
  /// What went wrong.
  public var sentence: String

  /// Makes the message.
  public init(job: String, token: UInt64, view: Int, isUnusable: Bool, sentence: String) {
    (self.job, self.token, self.view, self.isUnusable, self.sentence) = (job, token, view, isUnusable, sentence)
  }
}

extension GroupTrouble: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_group_trouble() }

  func fill(_ raw: inout Unmask__GroupTrouble, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.view = UInt64(view)
    raw.unusable = isUnusable ? 1 : 0
    raw.sentence = arena.text(sentence, limit: Limits.sentence)
  }

  init(reading raw: Unmask__GroupTrouble) throws {
    job = try word(raw.job, "GroupTrouble.job")
    token = raw.token
    view = try number(raw.view, "GroupTrouble.view", in: 1...Limits.views)
    isUnusable = try number(raw.unusable, "GroupTrouble.unusable", in: 0...1) == 1
    sentence = try text(raw.sentence, "GroupTrouble.sentence", limit: Limits.sentence)
  }
}
