/// How a face lies in a picture: what a crop is cut by.
public struct FacePose: Sendable, Hashable {
  /// Middle of the face.
  public var centre: Point
  /// Side of the square that holds the face, from the forehead to the chin.
  public var side: Double
  /// Unit vector from the face's right eye to its left one; (1, 0) is upright.
  public var axis: Point
  /// Middle of the mouth.
  public var mouth: Point

  /// Half-way between two poses, or another share of the way.
  func mixed(_ other: FacePose, _ share: Double) -> FacePose {
    func mix(_ a: Point, _ b: Point) -> Point { a * (1 - share) + b * share }
    let axis = mix(axis, other.axis)
    let length = axis.length
    return FacePose(
      centre: mix(centre, other.centre), side: side * (1 - share) + other.side * share,
      axis: length > 1e-6 ? axis * (1 / length) : self.axis, mouth: mix(mouth, other.mouth))
  }
}

/// One face over the frames of a video that were searched.
public struct FaceTrack: Sendable {
  /// The face in one frame.
  struct Sighting: Sendable {
    let frame: Int
    let time: Double
    let face: Face
  }

  let sightings: [Sighting]
  /// Seconds, from the first frame to the last in which the face is seen; half a step more at both ends.
  public let span: ClosedRange<Double>
  /// One pose for each searched frame of the span, gaps filled and smoothed.
  private let poses: [(time: Double, pose: FacePose)]

  /// - Traps: without sightings.
  init(_ sightings: [Sighting], times: [Double], step: Double) {
    self.sightings = sightings
    span = max(0, sightings[0].time - step / 2)...(sightings.last!.time + step / 2)
    let reach = step > 0 ? Int(min(2, 0.45 / step)) : 0
    let frames = sightings[0].frame...sightings.last!.frame
    let whole = Self.filled(sightings, times: times)
    poses = zip(frames.map { times[$0] }, Self.smoothed(Self.withoutJumps(whole), reach: reach)).map { ($0, $1) }
  }

  /// Mean side of its boxes, in pixels.
  public var meanSide: Double { sightings.reduce(0) { $0 + $1.face.side } / Double(sightings.count) }

  /// In how many of the searched frames the face was seen.
  public var count: Int { sightings.count }

  /// The pose at a time, in seconds; before and after the track it is that of the nearer end.
  public func pose(at time: Double) -> FacePose {
    guard let after = poses.firstIndex(where: { $0.time >= time }) else { return poses.last!.pose }
    guard after > 0, poses[after].time > poses[after - 1].time else { return poses[after].pose }
    let (a, b) = (poses[after - 1], poses[after])
    return a.pose.mixed(b.pose, (time - a.time) / (b.time - a.time))
  }

  // MARK: From sightings to poses

  /// Where the mouth lies in a box of OpenCV's frontal cascade, which gives none: below the middle, in sides.
  private static let usualMouth = Point(0, 0.31)

  /// Poses of all frames between the first sighting and the last: on a straight line where the face was not seen.
  private static func filled(_ sightings: [Sighting], times: [Double]) -> [FacePose] {
    // Eyes are not found in every frame: the axis is that of the nearest sightings that have them.
    let axes = sightings.enumerated().compactMap { index, sighting -> (index: Int, axis: Point)? in
      guard let eyes = sighting.face.eyes else { return nil }
      let across = eyes.left - eyes.right
      return across.length > 1e-6 ? (index, across * (1 / across.length)) : nil
    }
    let seen = sightings.enumerated().map { index, sighting -> FacePose in
      var axis = Point(1, 0)
      if let before = axes.last(where: { $0.index <= index }) {
        axis = before.axis
        if before.index < index, let after = axes.first(where: { $0.index > index }),
          after.index - index < index - before.index
        {
          axis = after.axis
        }
      } else if let after = axes.first {
        axis = after.axis
      }
      let face = sighting.face
      let usual = Point(-axis.y, axis.x) * (usualMouth.y * face.side)
      return FacePose(centre: face.centre, side: face.side, axis: axis, mouth: face.mouth ?? face.centre + usual)
    }
    var result: [FacePose] = []
    for (index, sighting) in sightings.enumerated() {
      if index > 0 {
        let before = sightings[index - 1]
        for frame in (before.frame + 1)..<sighting.frame {
          let share = (times[frame] - before.time) / (sighting.time - before.time)
          result.append(seen[index - 1].mixed(seen[index], share))
        }
      }
      result.append(seen[index])
    }
    return result
  }

  /// Each number replaced by the middle one of itself and its neighbours: a detector's single slip goes, motion stays.
  private static func withoutJumps(_ poses: [FacePose]) -> [FacePose] {
    guard poses.count > 2 else { return poses }
    var result = poses
    for index in 1..<(poses.count - 1) {
      let three = poses[(index - 1)...(index + 1)]
      func middle(_ value: (FacePose) -> Double) -> Double { three.map(value).sorted()[1] }
      result[index].centre = Point(middle { $0.centre.x }, middle { $0.centre.y })
      result[index].mouth = Point(middle { $0.mouth.x }, middle { $0.mouth.y })
      result[index].side = middle { $0.side }
      let heights = three.map(\.axis.y).sorted()
      result[index].axis = three.first { $0.axis.y == heights[1] }!.axis
    }
    return result
  }

  /// Means over up to `reach` frames to both sides, nearer ones counting more. As many on either side, so that a steady
  /// motion stays as it is.
  private static func smoothed(_ poses: [FacePose], reach: Int) -> [FacePose] {
    poses.indices.map { index in
      let own = min(reach, index, poses.count - 1 - index)
      guard own > 0 else { return poses[index] }
      var (centre, mouth, axis, side, weights) = (Point(0, 0), Point(0, 0), Point(0, 0), 0.0, 0.0)
      for offset in -own...own {
        let weight = Double(own + 1 - abs(offset))
        let pose = poses[index + offset]
        centre = centre + pose.centre * weight
        mouth = mouth + pose.mouth * weight
        axis = axis + pose.axis * weight
        side += pose.side * weight
        weights += weight
      }
      let length = axis.length
      return FacePose(
        centre: centre * (1 / weights), side: side / weights,
        axis: length > 1e-6 ? axis * (1 / length) : poses[index].axis, mouth: mouth * (1 / weights))
    }
  }
}
