/// What a search of a picture or video found.
struct FaceSearch: Sendable {
  /// The main face; nil if there is none.
  let face: FaceTrack?
  /// Other faces, seen in at least a quarter as many frames as the main one.
  let otherFaces: Int
  /// How many frames were searched.
  let searched: Int

  /// - Parameters:
  ///   - frames: the faces of each searched frame, in order of time.
  ///   - step: seconds between them.
  init(_ frames: [(faces: [Face], time: Double)], step: Double) {
    let tracks = FaceTracker(step: step).tracks(frames)
    // One sighting among many frames is a detector's mistake.
    let least = frames.count >= 4 ? 2 : 1
    let main = tracks.first { $0.count >= least }
    face = main
    otherFaces = main.map { main in tracks.count { $0.count >= least && 4 * $0.count >= main.count } - 1 } ?? 0
    searched = frames.count
  }
}
