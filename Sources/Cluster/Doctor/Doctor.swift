public import Foundation
import Glibc
import NN
import Services
public import Transport
import Wire

/// Looks for what would make a run fail on this machine, before it does.
public struct Doctor {
  /// One thing that was looked at.
  public struct Finding: Sendable, Codable, Equatable {
    /// How bad it is.
    public enum Level: String, Sendable, Codable {
      /// As it should be.
      case good
      /// Works, but may be in the way.
      case odd
      /// A run would fail.
      case wrong
    }

    /// How bad it is.
    public let level: Level
    /// What was looked at.
    public let subject: String
    /// What was found, and what to do about it.
    public let sentence: String
  }

  private let coordinator: String?
  private let listen: String?
  private let output: URL
  private let keys: KeyFolder
  private let key: String?
  private let isInsecure: Bool

  /// For a coordinator to talk to, an address to listen at, and a folder to write to, as far as they matter here.
  public init(
    coordinator: String?, listen: String?, output: URL, keys: KeyFolder = .standard, key: String?, isInsecure: Bool
  ) {
    (self.coordinator, self.listen, self.output) = (coordinator, listen, output)
    (self.keys, self.key, self.isInsecure) = (keys, key, isInsecure)
  }

  /// Everything that can be looked at without a run; seconds at most.
  public func findings() -> [Finding] {
    [program(), processors(), handles(), clock()] + disks() + interfaces() + ownKeys() + port() + peer()
  }

  private func finding(_ level: Finding.Level, _ subject: String, _ sentence: String) -> Finding {
    Finding(level: level, subject: subject, sentence: sentence)
  }

  private func program() -> Finding {
    finding(
      .good, "versions",
      "unmask \(programVersion), ZeroMQ \(Endpoint.versionOfZeroMQ), numerics \(NumericsFingerprint.computeAll())")
  }

  private func processors() -> Finding {
    let count = ProcessInfo.processInfo.activeProcessorCount
    let memory = Int(ProcessInfo.processInfo.physicalMemory >> 20)
    let sentence = "\(count) processors, \(memory) MiB of memory"
    return memory < 1_024
      ? finding(.odd, "memory", sentence + ": models of the usual sizes want 2 GiB a worker")
      : finding(.good, "memory", sentence)
  }

  private func handles() -> Finding {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let sentence = "\(limit.rlim_cur) open files allowed"
    return limit.rlim_cur < 1_024
      ? finding(.wrong, "limits", sentence + "; run: ulimit -n 4096") : finding(.good, "limits", sentence)
  }

  /// Timeouts go by the monotonic clock, so that a wrong clock spoils only the times in logs.
  private func clock() -> Finding {
    // Where systemd's, chrony's and ntpd's services say that they keep the clock.
    let signs = ["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/run/chronyd.pid", "/run/ntpd.pid"]
    let isKept = signs.contains { FileManager.default.fileExists(atPath: $0) }
    return isKept
      ? finding(.good, "clock", "kept by a time service")
      : finding(
        .odd, "clock",
        "no time service runs: times in logs of several machines may not agree; start chrony or systemd-timesyncd")
  }

  private func disks() -> [Finding] {
    var folder = output
    while !FileManager.default.fileExists(atPath: folder.path), folder.path != "/" { folder.deleteLastPathComponent() }
    return [("run folder", folder), ("scratch", FileManager.default.temporaryDirectory)].map { subject, folder in
      var facts = statvfs()
      guard statvfs(folder.path, &facts) == 0, access(folder.path, W_OK) == 0 else {
        return finding(.wrong, subject, "\(folder.path) cannot be written to; choose another folder")
      }
      let free = (Int(facts.f_bavail) * Int(facts.f_frsize)) >> 20
      let sentence = "\(folder.path) has \(free) MiB free"
      return free < 64
        ? finding(.wrong, subject, sentence + "; free some space")
        : finding(
          free < 2_048 ? .odd : .good, subject, sentence + (free < 2_048 ? ": little for checkpoints and caches" : ""))
    }
  }

  private func interfaces() -> [Finding] {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&first) == 0 else { return [] }
    defer { freeifaddrs(first) }
    var found: [String] = []
    var next = first
    while let entry = next?.pointee {
      next = entry.ifa_next
      guard let address = entry.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET),
        entry.ifa_flags & UInt32(IFF_UP) != 0, entry.ifa_flags & UInt32(IFF_LOOPBACK) == 0
      else { continue }
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let size = socklen_t(MemoryLayout<sockaddr_in>.size)
      guard getnameinfo(address, size, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else { continue }
      let number = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      found.append("\(number) (\(String(cString: entry.ifa_name)))")
    }
    return [
      found.isEmpty
        ? finding(.odd, "network", "no interface but the loopback is up: only this machine can take part")
        : finding(.good, "network", "workers elsewhere reach this machine at " + found.joined(separator: " or "))
    ]
  }

  private func ownKeys() -> [Finding] {
    guard !isInsecure, FileManager.default.fileExists(atPath: keys.url.path) else {
      return [
        finding(.odd, "keys", "no keys in \(keys.url.path): other machines cannot take part; unmask keys new NAME")
      ]
    }
    do {
      let own = try keys.own()
      let entries = try keys.entries()
      return [
        finding(.good, "keys", "\(own.name)'s key is in \(keys.url.path), and \(entries.count) are authorised there")
      ]
    } catch { return [finding(.wrong, "keys", "\(error)")] }
  }

  private func port() -> [Finding] {
    guard let listen else { return [] }
    do {
      let security = try Access.listening(at: listen, keys: nil, isInsecure: isInsecure)
      var options = SocketOptions()
      options.security = security
      try Endpoint.listener(at: listen, options: options).close()
      if let advice = Ports.advice(for: listen) { return [finding(.odd, "port", advice)] }
      return [finding(.good, "port", "\(listen) is free")]
    } catch { return [finding(.wrong, "port", "\(error)")] }
  }

  private func peer() -> [Finding] {
    guard let coordinator else { return [] }
    do {
      let security = try Access.calling(coordinator, key: key, isInsecure: isInsecure)
      let start = monotonicMilliseconds()
      let reply = try OperatorClient(coordinator, security: security, version: programVersion, timeout: 5_000).status()
      let took = monotonicMilliseconds() - start
      guard reply.version == programVersion else {
        return [
          finding(
            .wrong, "coordinator",
            "\(coordinator) is unmask \(reply.version), this machine has \(programVersion); install the same version")
        ]
      }
      let way = if case .key = security { "encrypted" } else { "not encrypted" }
      let sentence = "\(coordinator) serves run \(reply.run), answered in \(took) ms, \(way)"
      return [finding(took > 2_000 ? .odd : .good, "coordinator", sentence)]
    } catch { return [finding(.wrong, "coordinator", "\(error)")] }
  }
}
