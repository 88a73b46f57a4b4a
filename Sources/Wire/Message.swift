/// What a message's body is. The numbers are the protocol's and are never used again for something else.
public enum MessageKind: UInt16, Sendable, CaseIterable {
  case hello = 1
  case welcome = 2
  case refuse = 3
  case reset = 4
  case heartbeat = 5
  case heartbeatSeen = 6
  case bye = 7
  case byeSeen = 8
  case runEnded = 9
  case leave = 10
  case assign = 16
  case jobFinished = 17
  case jobFailed = 18
  case jobClosed = 19
  case cancel = 20
  case metrics = 21
  case log = 22
  case uploadBegin = 32
  case uploadChunk = 33
  case uploadCredit = 34
  case uploadDone = 35
  case downloadWant = 36
  case downloadChunk = 37
  case downloadFailed = 38
  case contentsHeld = 39
  case downloadElsewhere = 40
  case holderFailed = 41
  case peerAdmitted = 42
  case peerRevoked = 43
  case reduceSums = 48
  case reduceResult = 49
  case groupJoin = 50
  case regroup = 51
  case groupView = 52
  case stepVote = 53
  case stepCommit = 54
  case groupTrouble = 55
  case statusRequest = 64
  case statusReply = 65
  case operate = 66
  case operateReply = 67
  case logRequest = 68
  case logReply = 69
}

/// Everything that coordinator and workers say to each other. Protocols/README.md tells who says what when.
public enum Message: Sendable, Equatable {
  case hello(Hello)
  case welcome(Welcome)
  case refuse(Refuse)
  case reset(Reset)
  case heartbeat(Heartbeat)
  case heartbeatSeen(HeartbeatSeen)
  case bye(Bye)
  case byeSeen(ByeSeen)
  case runEnded(RunEnded)
  case assign(Assign)
  case jobFinished(JobFinished)
  case jobFailed(JobFailed)
  case jobClosed(JobClosed)
  case cancel(Cancel)
  case metrics(Metrics)
  case log(Log)
  case uploadBegin(UploadBegin)
  case uploadChunk(UploadChunk)
  case uploadCredit(UploadCredit)
  case uploadDone(UploadDone)
  case downloadWant(DownloadWant)
  case downloadChunk(DownloadChunk)
  case downloadFailed(DownloadFailed)
  case contentsHeld(ContentsHeld)
  case downloadElsewhere(DownloadElsewhere)
  case holderFailed(HolderFailed)
  case peerAdmitted(PeerAdmitted)
  case peerRevoked(PeerRevoked)
  case reduceSums(ReduceSums)
  case reduceResult(ReduceResult)
  case groupJoin(GroupJoin)
  case regroup(Regroup)
  case groupView(GroupView)
  case stepVote(StepVote)
  case stepCommit(StepCommit)
  case groupTrouble(GroupTrouble)
  case statusRequest(StatusRequest)
  case statusReply(StatusReply)
  case operate(Operate)
  case operateReply(OperateReply)
  case logRequest(LogRequest)
  case logReply(LogReply)
  case leave(Leave)

  init(_ kind: MessageKind, _ bytes: UnsafeBufferPointer<UInt8>) throws {
    self =
      switch kind {
      case .hello: .hello(try .decoded(bytes))
      case .welcome: .welcome(try .decoded(bytes))
      case .refuse: .refuse(try .decoded(bytes))
      case .reset: .reset(try .decoded(bytes))
      case .heartbeat: .heartbeat(try .decoded(bytes))
      case .heartbeatSeen: .heartbeatSeen(try .decoded(bytes))
      case .bye: .bye(try .decoded(bytes))
      case .byeSeen: .byeSeen(try .decoded(bytes))
      case .runEnded: .runEnded(try .decoded(bytes))
      case .assign: .assign(try .decoded(bytes))
      case .jobFinished: .jobFinished(try .decoded(bytes))
      case .jobFailed: .jobFailed(try .decoded(bytes))
      case .jobClosed: .jobClosed(try .decoded(bytes))
      case .cancel: .cancel(try .decoded(bytes))
      case .metrics: .metrics(try .decoded(bytes))
      case .log: .log(try .decoded(bytes))
      case .uploadBegin: .uploadBegin(try .decoded(bytes))
      case .uploadChunk: .uploadChunk(try .decoded(bytes))
      case .uploadCredit: .uploadCredit(try .decoded(bytes))
      case .uploadDone: .uploadDone(try .decoded(bytes))
      case .downloadWant: .downloadWant(try .decoded(bytes))
      case .downloadChunk: .downloadChunk(try .decoded(bytes))
      case .downloadFailed: .downloadFailed(try .decoded(bytes))
      case .contentsHeld: .contentsHeld(try .decoded(bytes))
      case .downloadElsewhere: .downloadElsewhere(try .decoded(bytes))
      case .holderFailed: .holderFailed(try .decoded(bytes))
      case .peerAdmitted: .peerAdmitted(try .decoded(bytes))
      case .peerRevoked: .peerRevoked(try .decoded(bytes))
      case .reduceSums: .reduceSums(try .decoded(bytes))
      case .reduceResult: .reduceResult(try .decoded(bytes))
      case .groupJoin: .groupJoin(try .decoded(bytes))
      case .regroup: .regroup(try .decoded(bytes))
      case .groupView: .groupView(try .decoded(bytes))
      case .stepVote: .stepVote(try .decoded(bytes))
      case .stepCommit: .stepCommit(try .decoded(bytes))
      case .groupTrouble: .groupTrouble(try .decoded(bytes))
      case .statusRequest: .statusRequest(try .decoded(bytes))
      case .statusReply: .statusReply(try .decoded(bytes))
      case .operate: .operate(try .decoded(bytes))
      case .operateReply: .operateReply(try .decoded(bytes))
      case .logRequest: .logRequest(try .decoded(bytes))
      case .logReply: .logReply(try .decoded(bytes))
      case .leave: .leave(try .decoded(bytes))
      }
  }

  /// What the body is.
  public var kind: MessageKind { parts.kind }

  var body: any WireBody { parts.body }

  private var parts: (kind: MessageKind, body: any WireBody) {
    switch self {
    case .hello(let body): (.hello, body)
    case .welcome(let body): (.welcome, body)
    case .refuse(let body): (.refuse, body)
    case .reset(let body): (.reset, body)
    case .heartbeat(let body): (.heartbeat, body)
    case .heartbeatSeen(let body): (.heartbeatSeen, body)
    case .bye(let body): (.bye, body)
    case .byeSeen(let body): (.byeSeen, body)
    case .runEnded(let body): (.runEnded, body)
    case .assign(let body): (.assign, body)
    case .jobFinished(let body): (.jobFinished, body)
    case .jobFailed(let body): (.jobFailed, body)
    case .jobClosed(let body): (.jobClosed, body)
    case .cancel(let body): (.cancel, body)
    case .metrics(let body): (.metrics, body)
    case .log(let body): (.log, body)
    case .uploadBegin(let body): (.uploadBegin, body)
    case .uploadChunk(let body): (.uploadChunk, body)
    case .uploadCredit(let body): (.uploadCredit, body)
    case .uploadDone(let body): (.uploadDone, body)
    case .downloadWant(let body): (.downloadWant, body)
    case .downloadChunk(let body): (.downloadChunk, body)
    case .downloadFailed(let body): (.downloadFailed, body)
    case .contentsHeld(let body): (.contentsHeld, body)
    case .downloadElsewhere(let body): (.downloadElsewhere, body)
    case .holderFailed(let body): (.holderFailed, body)
    case .peerAdmitted(let body): (.peerAdmitted, body)
    case .peerRevoked(let body): (.peerRevoked, body)
    case .reduceSums(let body): (.reduceSums, body)
    case .reduceResult(let body): (.reduceResult, body)
    case .groupJoin(let body): (.groupJoin, body)
    case .regroup(let body): (.regroup, body)
    case .groupView(let body): (.groupView, body)
    case .stepVote(let body): (.stepVote, body)
    case .stepCommit(let body): (.stepCommit, body)
    case .groupTrouble(let body): (.groupTrouble, body)
    case .statusRequest(let body): (.statusRequest, body)
    case .statusReply(let body): (.statusReply, body)
    case .operate(let body): (.operate, body)
    case .operateReply(let body): (.operateReply, body)
    case .logRequest(let body): (.logRequest, body)
    case .logReply(let body): (.logReply, body)
    case .leave(let body): (.leave, body)
    }
  }

  /// How many raw frames go with the body.
  var expectedFrames: Int {
    switch self {
    case .uploadChunk, .downloadChunk, .reduceResult, .logReply: 1
    case .reduceSums(let sums): sums.nodes.count
    default: 0
    }
  }
}
