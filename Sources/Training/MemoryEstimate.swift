import Autograd
import Glibc
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

  /// All of it.
  var bytes: Int { state + activationsPerView * views }

  /// An estimate from its parts.
  init(state: Int, activationsPerView: Int, views: Int) {
    (self.state, self.activationsPerView, self.views) = (state, activationsPerView, views)
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
    let shards = min(threads, settings.logicalShards)
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
    let format: MemoryFormat = partShape.count >= 3 ? .channelsLast : .contiguous
    let count = 2
    let size = partShape.reduce(count, *)
    let counted = TensorMemory.counting {
      let input = Tensor([count] + partShape, format: format) { out in for index in 0..<size { out[index] = 0 } }
      let output = network.logits(Variable(input), pass)
      pass.backward(from: output, gradient: Tensor(zeros: output.shape)) { _, _ in }
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
    let fitting = max(1, settings.batch * left / max(1, activationsPerView * views))
    let accumulate = (settings.batch * settings.accumulate + fitting - 1) / fitting
    return text + "; set train.batch: \(fitting) and train.accumulate: \(accumulate), which makes the same steps"
      + (settings.gradientCheckpointing ? "" : ", or train.gradient_checkpointing: true")
  }

  private static func gibibytes(_ bytes: Int) -> String {
    let tenths = Int((Double(bytes) / Double(1 << 30) * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) GiB"
  }

  /// This machine's memory.
  static var machine: Int { sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) }
}
