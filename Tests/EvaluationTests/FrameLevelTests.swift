import Evaluation
import Files
import Testing

@Suite struct `frames, windows and clips` {
  private func read(_ text: String) throws -> [ScoreRow] {
    try ScoreFile.read(CSVReader(Array(text.utf8), name: "f.csv"), name: "f.csv", model: "m")
  }

  @Test func `become a sample's score by every rule`() {
    let frames = [0.1, 0.9, 0.4, 0.2]
    expect(FrameRule.mean.score(of: frames), near: 0.4, "mean")
    expect(FrameRule.median.score(of: frames), near: 0.3, "median")
    #expect(FrameRule.max.score(of: frames) == 0.9 && FrameRule.min.score(of: frames) == 0.1)
    #expect(FrameRule.topK.score(of: frames) == 0.9)
    expect(FrameRule.noisyOr.score(of: frames), near: 1 - 0.9 * 0.1 * 0.6 * 0.8, "noisy-or")
  }

  @Test func `are read, judged for themselves and joined, whatever their names`() throws {
    let text = """
      sample,label,score,frame
      a,fake,0.9,0
      a,fake,0.2,1
      b,real,0.3,0
      b,real,0.4,frame_17.png
      c,real,0.1,0
      c,fake,0.8,1
      d,real,,0

      """
    let rows = try read(
      text.replacing("score,frame", with: "score,frame,reason").replacing(
        /(?m)^([a-d],.*)$/, with: { "\($0.1)," + ($0.1.contains(",,") ? "no face" : "") }))
    #expect(rows.map(\.frame) == [0, 1, 0, 3, 0, 1, 0])
    #expect(try read(ScoreFile.text(rows)) == rows)
    let samples = FrameScores.samples(of: rows, by: .mean)
    #expect(samples.map(\.sample) == ["a", "b", "c", "d"])
    expect(samples.compactMap(\.score), near: [0.55, 0.35, 0.45], "means")
    // One fake frame makes a fake sample; a sample without any score keeps its reason.
    #expect(samples.map(\.label) == [.fake, .real, .fake, .real] && samples[3].reason == "no face")
    let level = FrameLevel(rows, thresholds: [0: 0.5], bootstrap: nil)
    #expect(level.items == 6 && level.fakes == 3 && level.samples == 3)
    // 0.9 and 0.8 win against all three real frames, 0.2 against one.
    expect(level.area.value, near: 7.0 / 9, "frame AUC")
    expect(level.rules.first { $0.rule == .mean }?.area.value, near: 1, "sample AUC")
    expect(level.rules.first { $0.rule == .min }?.area.value, near: 0, "sample AUC of the least frame")
    #expect(level.metrics["recall"].value == 2.0 / 3 && level.metrics["false_positive_rate"] == 0.0)
  }

  @Test func `of one sample are alike, which widens the interval`() throws {
    var noise = SplitMix64(state: 3)
    var rows: [ScoreRow] = []
    for sample in 0..<40 {
      let fake = sample % 2 == 0
      let base = (fake ? 0.15 : 0) + Double.random(in: 0.2...0.7, using: &noise)
      for frame in 0..<16 {
        rows.append(
          ScoreRow(
            sample: "\(sample)", dataset: "d", fold: 0, part: .test, label: fake ? .fake : .real, model: "m",
            score: base + Double.random(in: 0...0.02, using: &noise), frame: frame))
      }
    }
    let level = FrameLevel(rows, thresholds: [:], bootstrap: Bootstrap(resamples: 300))
    let grouped = try #require(level.bootstrap)
    let alone = try #require(
      Bootstrap(resamples: 300).areaUnderCurve(scores: rows.map { $0.score! }, fake: rows.map(\.isFake)))
    #expect(grouped.upper - grouped.lower > 2 * (alone.upper - alone.lower))
  }
}
