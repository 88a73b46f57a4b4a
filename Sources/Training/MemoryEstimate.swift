import Autograd
import Foundation
import Models
import NN
import Tensor

/// What one training job needs of memory, before it starts: too large a batch is the most frequent reason why one dies.
///
/// Weights, gradients and moments are counted; activations are measured, on one step over two empty views.
struct MemoryEstimate {
  /// Bytes of weights, gradients, moments, and the copies of the best and of averaged weights.
  let state: Int
  /// Bytes that a view takes at the most: what the forward pass keeps, and what comes and goes in either pass.
  let activationsPerView: Int
  /// Views that are in the network at once, over all threads.
  let views: Int
  /// Shards that are computed side by side.
  let shards: Int

  /// All of it.
  var bytes: Int { state + activationsPerView * views }

  /// An estimate from its parts.
  init(state: Int, activationsPerView: Int, views: Int, shards: Int = 1) {
    (self.state, self.activationsPerView, self.views, self.shards) = (state, activationsPerView, views, shards)
  }

  /// What scoring takes, sample by sample: weights, and all parts of one sample a thread.
  init(scoring body: FrozenPart, _ store: ParameterStore, _ input: Preprocessing, threads: Int) {
    state = 4 * store.parameterCount
    (views, shards) = (input.mostParts * threads, threads)
    activationsPerView = Self.most(PartWriter(input: input).partShape) { batch in
      _ = body.features(Variable(batch), Pass(training: false))
    }
  }

  /// - Parameters:
  ///   - threads: shards that are computed side by side.
  ///   - most: views of the largest step that there is, as small data may not fill a batch.
  init(
    _ network: any Network, _ store: ParameterStore, _ settings: TrainSettings, partShape: [Int], threads: Int,
    most: Int = .max
  ) {
    let all = store.parameterCount
    let trained = store.parameters.filter(\.trainable).reduce(0) { $0 + $1.value.count }
    shards = min(threads, settings.logicalShards)
    // Two moments and the best epoch's weights; a gradient for each shard, and their sum.
    let copies = 3 + (settings.ema > 0 ? 1 : 0) + settings.logicalShards + 1
    state = 4 * (all + copies * trained)
    let batch = min(settings.batch, (most - 1) / settings.accumulate + 1)
    let perShard = (batch + settings.logicalShards - 1) / settings.logicalShards
    views = perShard * shards
    activationsPerView = Self.activations(network, settings, partShape)
  }

  private static func activations(_ network: any Network, _ settings: TrainSettings, _ partShape: [Int]) -> Int {
    let pass = Pass(training: true)
    pass.recomputes = settings.gradientCheckpointing
    return most(partShape) { input in
      let output = network.logits(Variable(input), pass)
      pass.backward(from: output, gradient: Tensor(zeros: output.shape)) { _, _ in }
    }
  }

  /// Bytes for each of two empty views, at the most.
  private static func most(_ partShape: [Int], _ body: (Tensor) -> Void) -> Int {
    let format: MemoryFormat = partShape.count >= 3 ? .channelsLast : .contiguous
    let count = 2
    let size = partShape.reduce(count, *)
    let counted = TensorMemory.counting {
      body(Tensor([count] + partShape, format: format) { out in for index in 0..<size { out[index] = 0 } })
    }
    return counted.most / count
  }

  /// One line for the log.
  var description: String {
    "memory: about \(Self.mebibytes(bytes)) a step, \(Self.mebibytes(state)) of it for weights and optimizer and "
      + "\(Self.mebibytes(activationsPerView)) for each of \(views) views"
  }

  private static func mebibytes(_ bytes: Int) -> String { "\((bytes + (1 << 19)) >> 20) MiB" }

  /// Why it will not fit and what to change; nil if it fits in `limit` bytes.
  func warning(limit: Int, _ settings: TrainSettings) -> String? {
    guard bytes > limit else { return nil }
    let text =
      "a step needs about \(Self.gibibytes(bytes)) of memory (\(Self.gibibytes(state)) for weights and optimizer, "
      + "\(Self.gibibytes(activationsPerView * views)) for \(views) views), and there are \(Self.gibibytes(limit))"
    let left = limit - state
    guard left > activationsPerView else {
      return text + "; use a smaller model, tune: frozen, or a machine with more memory"
    }
    let checkpointing = settings.gradientCheckpointing ? "" : ", or train.gradient_checkpointing: true"
    let perShard = left / max(1, activationsPerView * shards)
    guard perShard > 0 else {
      return text + "; give the worker fewer threads (\(left / activationsPerView) of them fit)" + checkpointing
    }
    // Every logical shard has whole views: the largest batch of such shards that divides the step.
    let step = settings.batch * settings.accumulate
    let batches = (1...perShard).map { $0 * settings.logicalShards }
    let exact = batches.last { step % $0 == 0 }
    let batch = exact ?? batches.last!
    return text + "; set train.batch: \(batch) and train.accumulate: \((step + batch - 1) / batch), which makes "
      + (exact == nil ? "much " : "") + "the same steps" + checkpointing
  }

  /// Why a frozen backbone's features cannot be computed, and what to change; nil if they fit in `limit` bytes.
  func scoringWarning(limit: Int) -> String? {
    guard bytes > limit else { return nil }
    return "the features of \(views) views at once need about \(Self.gibibytes(bytes)) of memory "
      + "(\(Self.gibibytes(state)) for weights), and there are \(Self.gibibytes(limit)); give the worker fewer threads, "
      + "use a smaller model, or a machine with more memory"
  }

  private static func gibibytes(_ bytes: Int) -> String {
    let tenths = Int((Double(bytes) / Double(1 << 30) * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) GiB"
  }

  /// This machine's memory, or as much of it as this process may take.
  static var machine: Int {
    let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    let groups = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
    return min(physical, controlGroupLimit(groups, root: "/sys/fs/cgroup") ?? physical)
  }

  /// The least limit of a control group and those above it, as containers, Slurm and systemd set them.
  ///
  /// - Parameters:
  ///   - groups: the text of `/proc/self/cgroup`, of version 1, 2 or both.
  ///   - root: where control groups are mounted.
  static func controlGroupLimit(_ groups: String, root: String) -> Int? {
    var limits: [Int] = []
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let (base, file): (String, String)
      switch fields[1].split(separator: ",") {
      case []: (base, file) = (root, "memory.max")
      case let controllers where controllers.contains("memory"):
        (base, file) = (root + "/memory", "memory.limit_in_bytes")
      default: continue
      }
      // Inside a container the path may be that of the host, and its own group the one at the root.
      var path = fields[2].split(separator: "/")
      while true {
        let name = ([base] + path.map(String.init) + [file]).joined(separator: "/")
        let text = try? String(contentsOfFile: name, encoding: .utf8)
        if let limit = text.flatMap({ Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }) {
          limits.append(limit)
        }
        if path.popLast() == nil { break }
      }
    }
    return limits.min()
  }
}

extension Preprocessing {
  /// Most parts that a sample is scored on.
  fileprivate var mostParts: Int {
    switch self {
    case .frames(let input): input.count
    case .clips(let input): input.count
    case .logMel(let input): input.maximumWindows
    case .waveform(let input): input.maximumWindows
    case .cepstra: 1
    }
  }
}
