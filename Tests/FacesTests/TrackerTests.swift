import Testing

@testable import Faces

@Suite struct `face tracker` {
  private func face(_ x: Double, _ y: Double, _ side: Double = 50, eyes: Bool = true) -> Face {
    Face(
      corner: Point(x, y), width: side, height: side,
      eyes: eyes ? (Point(x + 0.3 * side, y + 0.4 * side), Point(x + 0.7 * side, y + 0.4 * side)) : nil)
  }

  private func tracks(_ frames: [[Face]], step: Double = 0.2) -> [FaceTrack] {
    FaceTracker(step: step).tracks(frames.enumerated().map { ($1, (Double($0) + 0.5) * step) })
  }

  @Test func `bridges gaps on a straight line`() throws {
    // Not seen in frames 3 and 4.
    let frames: [[Face]] = (0..<10).map { [3, 4].contains($0) ? [] : [face(Double(10 + 4 * $0), 20)] }
    let found = tracks(frames)
    try #require(found.count == 1)
    #expect(found[0].count == 8)
    for frame in 0..<10 {
      let pose = found[0].pose(at: (Double(frame) + 0.5) * 0.2)
      #expect(distance(pose.centre, Point(Double(35 + 4 * frame), 45)) < 1e-9, "frame \(frame)")
      #expect(abs(pose.side - 50) < 1e-9 && distance(pose.axis, Point(1, 0)) < 1e-9)
    }
    // Between searched frames too.
    #expect(distance(found[0].pose(at: 0.8).centre, Point(35 + 4 * 3.5, 45)) < 1e-9)
    #expect(abs(found[0].span.lowerBound) < 1e-12 && abs(found[0].span.upperBound - 2) < 1e-12)
  }

  @Test func `does not bridge long gaps`() {
    let frames: [[Face]] = (0..<20).map { (5..<14).contains($0) ? [] : [face(10, 20)] }
    #expect(tracks(frames).map(\.count) == [6, 5])
  }

  @Test func `keeps two faces apart that pass each other`() throws {
    let frames: [[Face]] = (0..<12).map { [face(Double(10 + 8 * $0), 20), face(Double(106 - 8 * $0), 75)] }
    let found = tracks(frames)
    try #require(found.count == 2)
    for track in found { #expect(track.count == 12) }
    let heights = found.map { $0.pose(at: 1.2).centre.y }.sorted()
    #expect(abs(heights[0] - 45) < 1e-9 && abs(heights[1] - 100) < 1e-9)
  }

  @Test func `takes the face that is seen longest, then the largest`() {
    let longer: [[Face]] = (0..<10).map { $0 < 6 ? [face(10, 20, 90), face(200, 20)] : [face(200, 20)] }
    #expect(abs(tracks(longer)[0].meanSide - 50) < 1e-9)
    let larger: [[Face]] = (0..<10).map { _ in [face(200, 20), face(10, 20, 90)] }
    #expect(abs(tracks(larger)[0].meanSide - 90) < 1e-9)
  }

  @Test func `smooths jitter and forgets single slips`() {
    let jitter: [[Face]] = (0..<20).map { [face($0 % 2 == 0 ? 12 : 8, 20)] }
    for time in stride(from: 0.5, to: 3.5, by: 0.1) {
      #expect(abs(tracks(jitter)[0].pose(at: time).centre.x - 35) < 1)
    }
    let slip: [[Face]] = (0..<9).map { [face(10, 20, $0 == 4 ? 68 : 50)] }
    #expect(tracks(slip)[0].pose(at: 0.9).side == 50)
  }

  @Test func `takes the axis of frames in which the eyes were found`() {
    var frames: [[Face]] = (0..<9).map { [face(10, 20, eyes: $0 > 2)] }
    for index in 3..<9 { frames[index][0].eyes = (Point(25, 40), Point(45, 45)) }
    let tilted = Point(20, 5) * (1 / Point(20, 5).length)
    for time in [0.1, 0.9, 1.7] { #expect(distance(tracks(frames)[0].pose(at: time).axis, tilted) < 1e-9) }
    let none: [[Face]] = (0..<3).map { _ in [face(10, 20, eyes: false)] }
    #expect(tracks(none)[0].pose(at: 0.3).axis == Point(1, 0))
  }
}
