/// Joins the faces of single frames into tracks: each track is one face over a stretch of time.
///
/// A face belongs to the track whose last box it covers most, if their common area is at least 0.3 of what they cover
/// together; the best pairs are joined first. A track that is not seen for longer than a second, or than two frames where
/// they lie further apart, has ended.
struct FaceTracker {
  /// Seconds between the frames that are searched.
  let step: Double

  private let leastOverlap = 0.3
  private var longestGap: Double { max(1, 2.5 * step) }

  /// The tracks of frames in order of time: the one seen in most frames first, then the largest.
  func tracks(_ frames: [(faces: [Face], time: Double)]) -> [FaceTrack] {
    var tracks: [[FaceTrack.Sighting]] = []
    for (frame, found) in frames.enumerated() {
      let open = tracks.indices.filter { found.time - tracks[$0].last!.time <= longestGap }
      var pairs: [(overlap: Double, track: Int, face: Int)] = []
      for track in open {
        for (face, candidate) in found.faces.enumerated() {
          let overlap = tracks[track].last!.face.overlap(candidate)
          if overlap >= leastOverlap { pairs.append((overlap, track, face)) }
        }
      }
      pairs.sort { ($1.overlap, $0.track, $0.face) < ($0.overlap, $1.track, $1.face) }
      var (usedTracks, usedFaces): (Set<Int>, Set<Int>) = ([], [])
      for pair in pairs where !usedTracks.contains(pair.track) && !usedFaces.contains(pair.face) {
        usedTracks.insert(pair.track)
        usedFaces.insert(pair.face)
        tracks[pair.track].append(.init(frame: frame, time: found.time, face: found.faces[pair.face]))
      }
      for (face, new) in found.faces.enumerated() where !usedFaces.contains(face) {
        tracks.append([.init(frame: frame, time: found.time, face: new)])
      }
    }
    let made = tracks.map { FaceTrack($0, times: frames.map(\.time), step: step) }
    return made.enumerated().sorted { a, b in
      (b.element.sightings.count, b.element.meanSide, a.offset) < (
        a.element.sightings.count, a.element.meanSide, b.offset
      )
    }.map(\.element)
  }
}
