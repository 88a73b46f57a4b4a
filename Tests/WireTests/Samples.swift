@testable import Wire

/// One message of every kind, with every field set.
enum Samples {
  static let artifact = ArtifactReference(
    name: "Models/m/fold-0.safetensors", sha256: String(repeating: "0a", count: 32), size: 123_456)
  static let progress = JobProgress(phase: "train", epoch: 3, step: 41, steps: 100, message: "loss 0.31 – gut")
  static let held = HeldLease(job: "train/m/0", token: 17, progress: progress)
  static let job = JobSpec(
    id: "train/m/0", kind: "train", arguments: ["fold": "0", "model": "m"], dependencies: ["scan"],
    inputs: ["folds.csv"],
    outputs: ["Models/m/fold-0.safetensors"], runsOn: .worker, groupSize: 2, maxAttempts: 3, priority: -4)

  static let place = GroupPlace(
    machine: "boot", process: 42, handle: 9, nonce: 77, address: "tcp://10.0.0.1:4000", key: "public")

  static let messages: [Message] = [
    .hello(
      Hello(
        name: "w1", version: "1.0", fingerprint: "abc", host: "h", process: 42, slots: 2, held: [held],
        address: "tcp://10.0.0.1:4001", key: "public")),
    .welcome(Welcome(run: "r", experiment: "e", heartbeat: 2_000, lease: 15_000, patience: 60_000, shared: [artifact])),
    .refuse(Refuse(code: .version, sentence: "no")),
    .reset(Reset()),
    .heartbeat(Heartbeat(held: [held, held], draining: true)),
    .heartbeatSeen(HeartbeatSeen()),
    .bye(Bye(reason: "asked to leave")),
    .byeSeen(ByeSeen()),
    .runEnded(RunEnded(isComplete: true, sentence: "done", next: "second")),
    .assign(
      Assign(job: job, token: 18, rank: 1, members: 2, attempt: 3, inputs: [artifact], checkpoint: artifact)),
    .jobFinished(JobFinished(job: "j", token: 18, outputs: [artifact])),
    .jobFailed(JobFailed(job: "j", token: 18, code: .worker, sentence: "full")),
    .jobClosed(JobClosed(job: "j", token: 18, isAccepted: true, reason: "")),
    .cancel(Cancel(job: "j", token: 18, code: .groupBroken, reason: "gone")),
    .metrics(Metrics(job: "j", token: 18, epoch: 2, metrics: [Metric(name: "loss", value: 0.25)])),
    .log(Log(job: "j", token: 18, line: "line")),
    .uploadBegin(
      UploadBegin(transfer: 5, job: "j", token: 18, kind: .checkpoint, artifact: artifact, progress: progress)),
    .uploadChunk(UploadChunk(transfer: 5, offset: 1 << 20, crc: 0xDEAD_BEEF)),
    .uploadCredit(UploadCredit(transfer: 5, received: 1 << 20, limit: 5 << 20)),
    .uploadDone(UploadDone(transfer: 5, isKept: false, reason: "no")),
    .downloadWant(
      DownloadWant(transfer: 6, artifact: artifact, offset: 0, count: 1 << 20, elsewhere: true, ticket: 1 << 60)),
    .downloadChunk(DownloadChunk(transfer: 6, offset: 0, crc: 1, source: "w2")),
    .downloadFailed(DownloadFailed(transfer: 6, reason: "no")),
    .contentsHeld(ContentsHeld(contents: [artifact.sha256, artifact.sha256])),
    .downloadElsewhere(
      DownloadElsewhere(
        transfer: 6, holders: [Holder(name: "w2", address: "tcp://10.0.0.2:4000", key: "public", ticket: 5)])),
    .holderFailed(HolderFailed(content: artifact.sha256, holder: "w2", trouble: .wrong, sentence: "no")),
    .peerAdmitted(PeerAdmitted(ticket: 5, key: "public", validity: 600_000)),
    .peerRevoked(PeerRevoked(key: "public")),
    .reduceSums(
      ReduceSums(
        job: "j", token: 18, step: 9, shards: 4, offset: 0, total: 2, nodes: [Node(low: 0, high: 2, crc: 7)])),
    .reduceResult(ReduceResult(job: "j", token: 18, step: 9, offset: 0, total: 2, crc: 8)),
    .groupJoin(
      GroupJoin(job: "j", token: 18, view: 3, shards: 4, steps: 7, isPending: true, place: place)),
    .regroup(Regroup(job: "j", token: 18, view: 3, rank: 1, reason: "w2 is gone")),
    .groupView(
      GroupView(
        job: "j", token: 18, view: 3, rank: 1, steps: 7, route: .direct, secret: 99, donor: 0,
        members: [
          GroupMember(name: "w1", low: 0, high: 2, place: place),
          GroupMember(name: "w3", low: 2, high: 4, place: place),
        ])),
    .stepVote(StepVote(job: "j", token: 18, view: 3, step: 7, digest: 0xFEED_BEEF_0BAD_CAFE, microseconds: 41_000)),
    .stepCommit(StepCommit(job: "j", token: 18, view: 3, step: 7)),
    .groupTrouble(GroupTrouble(job: "j", token: 18, view: 3, isUnusable: true, sentence: "no")),
    .statusRequest(StatusRequest(version: "1.0")),
    .statusReply(
      StatusReply(
        run: "r", experiment: "e", version: "1.0", state: .running, elapsed: 1_000, total: 2, done: 1,
        workers: [
          WorkerStatus(name: "w1", host: "h", process: 42, slots: 2, state: .busy, silence: 5, jobs: ["j"])
        ],
        jobs: [
          JobStatus(
            id: "j", state: .running, workers: ["w1"], attempts: 2, failures: 1, progress: progress, since: 10,
            unmoved: 2,
            why: "")
        ],
        stuck: ["nothing"], remaining: 77_000, queue: ["second", "third"])),
    .operate(Operate(version: "1.0", operation: .drain, target: "w1")),
    .operateReply(OperateReply(isAccepted: true, sentence: "worker w1 leaves")),
    .leave(Leave(reason: "an operator wants it")),
    .logRequest(LogRequest(version: "1.0", job: "train/m/0", offset: 512)),
    .logReply(LogReply(job: "train/m/0", offset: 512, size: 520, isOver: true, problem: "")),
  ]

  static func packet(_ message: Message) -> Packet {
    let frames = (0..<message.expectedFrames).map { _ in [UInt8](repeating: 9, count: 8) }
    return Packet(message, frames: frames, sender: 11, session: 12, sequence: 13)
  }
}
