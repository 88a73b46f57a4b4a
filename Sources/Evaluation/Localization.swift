/// A part of a recording's time that a detector calls fake, and how sure it is.
public struct IntervalProposal: Sendable, Hashable, Codable {
  /// Rises with the belief in "fake".
  public var score: Double
  /// First second.
  public var start: Double
  /// Last second.
  public var end: Double

  /// A proposal from its parts.
  public init(score: Double, start: Double, end: Double) { (self.score, self.start, self.end) = (score, start, end) }
}

/// One recording: what is fake in it, and what a detector proposes. A recording without fakes counts too: each of its
/// proposals is a false alarm.
public struct LocalizedRecording: Sendable, Hashable {
  /// The fake parts, in seconds.
  public var labels: [(start: Double, end: Double)] { intervals.map { ($0.start, $0.end) } }
  /// Proposals in the detector's own order, which is expected to be by falling score.
  public var proposals: [IntervalProposal]
  private let intervals: [IntervalProposal]

  /// A recording from its parts.
  public init(labels: [(start: Double, end: Double)], proposals: [IntervalProposal]) {
    intervals = labels.map { IntervalProposal(score: 1, start: $0.start, end: $0.end) }
    self.proposals = proposals
  }
}

/// Metrics of temporal localisation, in the two forms that the field's tables use.
public enum Localization {
  /// Length of the common part over length of both.
  static func overlap(_ a: (start: Double, end: Double), _ b: IntervalProposal) -> Double {
    let common = max(0, min(a.end, b.end) - max(a.start, b.start))
    let both = (a.end - a.start) + (b.end - b.start) - common
    return both > 0 ? common / both : 0
  }

  /// AP as the official tools of LAV-DF and AV-Deepfake1M compute it. They never count the strip between recall 0 and that of
  /// the first hit: of N labels a perfect detector gets (N - 1) / N.
  ///
  /// - Parameter iou: a proposal hits a label that it overlaps by more than this.
  /// - Source: ControlNet/LAV-DF, metrics.py.
  public static func officialAveragePrecision(_ recordings: [LocalizedRecording], iou: Double) -> Measure {
    var marks: [(score: Double, hit: Bool)] = []
    var labels = 0
    for recording in recordings {
      labels += recording.labels.count
      var hit = [Bool](repeating: false, count: recording.proposals.count)
      for label in recording.labels {
        let first = recording.proposals.indices.first { !hit[$0] && overlap(label, recording.proposals[$0]) > iou }
        if let first { hit[first] = true }
      }
      marks += zip(recording.proposals, hit).map { ($0.score, $1) }
    }
    guard labels > 0 else { return .undefined("nothing is fake in any recording") }
    let (precision, recall) = curve(marks, labels: labels)
    guard !precision.isEmpty else { return .defined(0) }
    var (area, envelope) = (0.0, 0.0)
    for index in precision.indices.dropFirst().reversed() {
      envelope = max(envelope, precision[index])
      area += (recall[index] - recall[index - 1]) * envelope
    }
    return .defined(area)
  }

  /// AP as ActivityNet's tools compute it: over the whole of recall, each proposal taking the free label that it overlaps best.
  ///
  /// - Parameter iou: a proposal hits a label that it overlaps by at least this.
  /// - Source: ymhzyj/UMMAFormer, libs/utils/metrics.py (ActivityNet's evaluator).
  public static func averagePrecision(_ recordings: [LocalizedRecording], iou: Double) -> Measure {
    let labels = recordings.reduce(0) { $0 + $1.labels.count }
    guard labels > 0 else { return .undefined("nothing is fake in any recording") }
    let all = recordings.indices.flatMap { recording in
      recordings[recording].proposals.map { (recording: recording, proposal: $0) }
    }
    var taken = recordings.map { [Bool](repeating: false, count: $0.labels.count) }
    var marks: [(score: Double, hit: Bool)] = []
    for place in stableDescending(all.map(\.proposal.score)) {
      let (recording, proposal) = all[place]
      let parts = recordings[recording].labels
      let best = parts.indices.map { (overlap(parts[$0], proposal), $0) }.sorted { ($0.0, $1.1) > ($1.0, $0.1) }
        .first { $0.0 >= iou && !taken[recording][$0.1] }
      if let best { taken[recording][best.1] = true }
      marks.append((proposal.score, best != nil))
    }
    let (precision, recall) = curve(marks, labels: labels)
    var (area, envelope) = (0.0, 0.0)
    for index in precision.indices.reversed() {
      envelope = max(envelope, precision[index])
      area += (recall[index] - (index > 0 ? recall[index - 1] : 0)) * envelope
    }
    return .defined(area)
  }

  /// The thresholds of overlap that average recall is a mean over: 0.5, 0.55, … 0.95.
  public static let recallThresholds = (0...9).map { 0.5 + 0.05 * Double($0) }

  /// AR@N: the share of labels that one of a recording's first N proposals overlaps by more than a threshold, mean over
  /// `recallThresholds`. Labels of a recording without proposals are missed ones.
  public static func averageRecall(_ recordings: [LocalizedRecording], proposals count: Int) -> Measure {
    let best = recordings.flatMap { recording in
      recording.labels.map { label in recording.proposals.prefix(count).map { overlap(label, $0) }.max() ?? 0 }
    }
    guard !best.isEmpty else { return .undefined("nothing is fake in any recording") }
    return .defined(
      mean(recallThresholds.map { iou in Double(best.count { $0 > iou }) / Double(best.count) }))
  }

  // Precision and recall after each proposal, by falling score; equal scores keep their order.
  private static func curve(_ marks: [(score: Double, hit: Bool)], labels: Int) -> ([Double], [Double]) {
    var (precision, recall, hits) = ([Double](), [Double](), 0)
    for (position, place) in stableDescending(marks.map(\.score)).enumerated() {
      if marks[place].hit { hits += 1 }
      precision.append(Double(hits) / Double(position + 1))
      recall.append(Double(hits) / Double(labels))
    }
    return (precision, recall)
  }

  private static func stableDescending(_ scores: [Double]) -> [Int] {
    scores.indices.sorted { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] }
  }
}

/// All of it for a set of recordings.
public struct LocalizationReport: Sendable, Hashable, Encodable {
  /// Recordings, with fakes and without.
  public let recordings: Int
  /// Fake parts.
  public let labels: Int
  /// Proposals.
  public let proposals: Int
  /// AP by overlap, over the whole of recall (ActivityNet's form).
  public let ap: [String: Measure]
  /// AP by overlap as in LAV-DF's and AV-Deepfake1M's official tables.
  public let officialAP: [String: Measure]
  /// AR by number of proposals.
  public let ar: [String: Measure]

  /// The overlaps that AP is given at.
  public static let overlaps = [0.5, 0.75, 0.9, 0.95]
  /// The numbers of proposals that AR is given at.
  public static let counts = [100, 50, 30, 20, 10, 5, 2, 1]

  enum CodingKeys: String, CodingKey {
    case recordings, labels, proposals, ap, ar
    case officialAP = "ap_lavdf"
  }

  /// Computes everything.
  public init(_ all: [LocalizedRecording]) {
    recordings = all.count
    labels = all.reduce(0) { $0 + $1.labels.count }
    proposals = all.reduce(0) { $0 + $1.proposals.count }
    func table(_ keys: [Double], _ value: (Double) -> Measure) -> [String: Measure] {
      Dictionary(uniqueKeysWithValues: keys.map { ("\($0)", value($0)) })
    }
    ap = table(Self.overlaps) { Localization.averagePrecision(all, iou: $0) }
    officialAP = table(Self.overlaps) { Localization.officialAveragePrecision(all, iou: $0) }
    ar = Dictionary(
      uniqueKeysWithValues: Self.counts.map { ("\($0)", Localization.averageRecall(all, proposals: $0)) })
  }
}
