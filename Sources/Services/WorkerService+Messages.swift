import Coordination
import Foundation
import Glibc
import Logging
import Transport
import Wire

// What comes in at a worker: messages, and what its compute threads ask for.

extension WorkerService {
  func take(_ incoming: Endpoint.Incoming) {
    if case .refused(let sentence, let isFinal) = incoming {
      return handle(.refused(sentence: sentence, isFinal: isFinal))
    }
    guard case .message(_, let frames, _) = incoming else { return }
    let packet: Packet
    do {
      packet = try Packet.decoded(frames)
    } catch let foreign as ForeignVersion {
      return handle(.foreign(version: foreign.version))
    } catch {
      return options.logger.warning("a message from the coordinator is dropped: \(error)")
    }
    switch packet.message {
    case .uploadCredit, .uploadDone, .downloadWant, .downloadChunk, .downloadFailed, .downloadElsewhere, .peerAdmitted,
      .peerRevoked, .reduceResult, .regroup, .groupView, .stepCommit:
      guard packet.header.session == incarnation, packet.header.sender == machine.session else { return }
      machine.noteTraffic(now: monotonicMilliseconds())
      transfer(packet)
    case .welcome, .refuse, .reset, .heartbeatSeen, .byeSeen, .runEnded, .leave, .assign, .jobClosed, .cancel:
      handle(.received(packet.header, packet.message))
    case .hello, .heartbeat, .bye, .jobFinished, .jobFailed, .metrics, .log, .uploadBegin, .uploadChunk, .contentsHeld,
      .holderFailed, .reduceSums,
      .groupJoin, .stepVote, .groupTrouble, .statusRequest, .statusReply, .operate, .operateReply,
      .logRequest, .logReply:
      options.logger.warning("a message from the coordinator is dropped: it does not send \(packet.message.kind)")
    }
  }

  private func transfer(_ packet: Packet) {
    switch packet.message {
    case .uploadCredit(let credit):
      guard let upload = uploads[credit.transfer] else { return }
      guard let pieces = upload.pieces(upTo: credit.limit) else {
        uploads[credit.transfer] = nil
        return upload.answer.put(.failure(ServiceError("\(upload.begin.artifact.name) changed while it was sent")))
      }
      for (message, bytes) in pieces { send(message, frames: [bytes]) }
    case .uploadDone(let done):
      guard let upload = uploads.removeValue(forKey: done.transfer) else { return }
      if done.isKept, upload.begin.kind == .checkpoint { metrics[upload.begin.token] = nil }
      upload.answer.put(
        done.isKept
          ? .success(())
          : .failure(ServiceError("the coordinator did not keep \(upload.begin.artifact.name): \(done.reason)")))
    case .downloadChunk(let chunk):
      guard let download = downloads[chunk.transfer] else { return }
      do {
        try download.take(chunk, packet.frames[0])
      } catch {
        downloads[chunk.transfer] = nil
        return download.answer.put(.failure(error))
      }
      if download.isComplete {
        downloads[chunk.transfer] = nil
        download.answer.put(.success(download.end))
      } else {
        for want in download.wants() { send(want) }
      }
    case .downloadFailed(let failed):
      downloads.removeValue(forKey: failed.transfer)?.answer.put(.failure(ServiceError(failed.reason)))
    case .downloadElsewhere(let answer):
      downloads.removeValue(forKey: answer.transfer)?.answer.put(.success(.elsewhere(answer.holders)))
    case .downloadWant(let want):
      switch shelf.read(want) {
      case .success(let bytes):
        let chunk = DownloadChunk(transfer: want.transfer, offset: want.offset, crc: crc32c(bytes))
        send(.downloadChunk(chunk), frames: [bytes])
      case .failure(let error):
        send(.downloadFailed(DownloadFailed(transfer: want.transfer, reason: error.description)))
      }
    case .peerAdmitted(let admitted): server?.admit(admitted)
    case .peerRevoked(let revoked):
      server?.revoke(revoked.key)
      fetcher.reset()
    case .reduceResult(let piece):
      guard let reduction = reductions[piece.token], let sum = reduction.take(piece, packet.frames[0]) else { return }
      reductions[piece.token] = nil
      reduction.answer.put(.success(sum))
    case .regroup(let regroup): contexts[regroup.token]?.receive(packet.message)
    case .groupView(let view): contexts[view.token]?.receive(packet.message)
    case .stepCommit(let commit): contexts[commit.token]?.receive(packet.message)
    default: break
    }
  }

  func take(_ request: WorkerRequest) {
    switch request {
    case .upload(var begin, let file, let answer):
      transfers += 1
      begin.transfer = transfers
      guard let upload = UploadExchange(begin, file: file, answer) else {
        return answer.put(.failure(ServiceError("\(file.path) cannot be read: \(String(cString: strerror(errno)))")))
      }
      uploads[transfers] = upload
      let first = upload.start()
      if isJoined { send(first) }
    case .held(let content): unsaid.append(content)
    case .holderFailed(let failed): if isJoined { send(.holderFailed(failed)) }
    case .download(let artifact, let token, let file, let elsewhere, let answer):
      transfers += 1
      guard
        let download = DownloadExchange(
          artifact, token: token, transfer: transfers, to: file, elsewhere: elsewhere, answer)
      else {
        return answer.put(.failure(ServiceError("\(file.path) cannot be made: \(String(cString: strerror(errno)))")))
      }
      guard !download.isComplete else { return answer.put(.success(download.end)) }  // an empty file
      downloads[transfers] = download
      let wants = download.wants()
      if isJoined { wants.forEach { send($0) } }
    case .reduce(let job, let token, let step, let kind, let own, let shards, let answer, let pulse):
      guard contexts[token] != nil else { return }
      let exchange = ReduceExchange(
        job: job, token: token, step: step, kind: kind, own: own, shards: shards, answer, pulse)
      reductions[token] = exchange
      if isJoined { for (message, frames) in exchange.pieces() { send(message, frames: frames) } }
    case .endReduce(let token, let step): if reductions[token]?.step == step { reductions[token] = nil }
    case .group(let token, let message): if contexts[token] != nil, isJoined { send(message) }
    case .metrics(let entry):
      metrics[entry.token, default: []].append(entry)
      // Those that long ago were sent have arrived: the coordinator has answered heartbeats since.
      if metrics[entry.token]!.count > 4_096, isJoined { metrics[entry.token]!.removeFirst(2_048) }
      if isJoined { send(.metrics(entry)) }
    case .log(let line): if isJoined { send(.log(line)) }
    case .finished(let token, let outputs):
      contexts[token] = nil
      handle(.finished(token: token, outputs: outputs))
    case .failed(let token, let code, let sentence):
      contexts[token] = nil
      handle(.failed(token: token, code, sentence: sentence))
    case .isReady(let runner):
      self.runner = runner
      let waiting = queued
      queued = []
      waiting.forEach { start($0) }
    case .cannotStart(let sentence):
      for assign in queued { handle(.failed(token: assign.token, .worker, sentence: sentence)) }
      queued = []
      send(.bye(Bye(reason: "it cannot start: \(sentence)")))
      ending = .failed(sentence: sentence)
    }
  }
}
