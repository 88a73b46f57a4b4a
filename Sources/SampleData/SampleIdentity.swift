// A person of the sample: the geometry and colours of a face, and the pitch and formants of a voice.

/// Colours are RGB in 0...1; lengths are in head units (1 is half the height of a face); voice frequencies in hertz.
struct SampleIdentity {
  enum HairStyle: Int { case short, long, fringe, sides, curls }

  var faceWidth: Float
  var jaw: Float
  var skin: SIMD3<Float>
  var hair: SIMD3<Float>
  var hairStyle: HairStyle
  var clothes: SIMD3<Float>
  var collar: Bool
  var eyeDistance: Float
  var eyeHeight: Float
  var eyeSize: Float
  var iris: SIMD3<Float>
  var browTilt: Float
  var browWeight: Float
  var noseLength: Float
  var noseWidth: Float
  var mouthWidth: Float
  var mouthHeight: Float
  var lipWeight: Float
  var lips: SIMD3<Float>
  var beard: Float
  var glasses: Bool

  var pitch: Float
  var formantScale: Float
  var breathiness: Float
  var tilt: Float
  var syllableRate: Float

  /// Identity `member` (0 or 1) of a pair.
  init(seed: UInt64, pair: Int, member: Int) {
    var r = Randomness(seed: seed, "identity", pair, member)
    let low = r.chance(0.5)  // a low voice, and what tends to come with it
    let skins: [SIMD3<Float>] = [
      [0.95, 0.79, 0.69], [0.90, 0.72, 0.59], [0.82, 0.62, 0.47], [0.70, 0.50, 0.37], [0.55, 0.38, 0.28],
      [0.42, 0.29, 0.22],
    ]
    let hairs: [SIMD3<Float>] = [
      [0.10, 0.08, 0.07], [0.24, 0.15, 0.09], [0.42, 0.27, 0.14], [0.70, 0.54, 0.30], [0.55, 0.23, 0.11],
      [0.62, 0.61, 0.60],
    ]
    let irises: [SIMD3<Float>] = [[0.25, 0.15, 0.08], [0.22, 0.38, 0.55], [0.25, 0.42, 0.25], [0.38, 0.38, 0.40]]
    faceWidth = r.uniform(0.70, 0.84)
    jaw = r.uniform(0.06, low ? 0.20 : 0.34)
    // Skins go round over the pairs, and the two of a pair differ by at most one step: swaps are made between people
    // who can pass for each other.
    var shared = Randomness(seed: seed, "skin")
    let round = (pair * 5 + shared.index(skins.count)) % skins.count
    let step = min(max(round + (member == 0 ? 0 : r.index(3) - 1), 0), skins.count - 1)
    skin = skins[step] * r.uniform(0.95, 1.04)
    hair = step < 3 ? hairs[r.index(hairs.count)] : [hairs[0], hairs[1], hairs[5]][r.index(3)]
    hairStyle = low ? [.short, .fringe, .sides, .curls][r.index(4)] : [.long, .fringe, .long, .curls][r.index(4)]
    clothes = SIMD3(r.uniform(0.08, 0.8), r.uniform(0.08, 0.8), r.uniform(0.08, 0.8))
    collar = r.chance(0.5)
    eyeDistance = r.uniform(0.29, 0.37)
    eyeHeight = r.uniform(-0.18, -0.08)
    eyeSize = r.uniform(0.115, 0.155)
    iris = irises[r.index(irises.count)]
    browTilt = r.uniform(-0.25, 0.25)
    browWeight = r.uniform(0.028, 0.058)
    noseLength = r.uniform(0.26, 0.36)
    noseWidth = r.uniform(0.09, 0.15)
    mouthWidth = r.uniform(0.22, 0.32)
    mouthHeight = r.uniform(0.50, 0.58)
    lipWeight = r.uniform(0.035, 0.065)
    lips = skin * SIMD3(0.88, 0.58, 0.58) + SIMD3(0.04, 0, 0)
    beard = low && r.chance(0.45) ? r.uniform(0.35, 0.8) : 0
    glasses = r.chance(0.25)

    pitch = low ? r.uniform(92, 135) : r.uniform(170, 235)
    formantScale = low ? r.uniform(0.94, 1.05) : r.uniform(1.09, 1.22)
    breathiness = r.uniform(0.03, 0.09)
    tilt = r.uniform(0.25, 0.55)
    syllableRate = r.uniform(4.2, 5.6)
  }

  /// This person's features on the outline of another head: what is left after a face swap has aligned the landmarks.
  func fitted(to other: SampleIdentity) -> SampleIdentity {
    var result = self
    result.faceWidth = other.faceWidth * 1.04
    result.jaw = other.jaw * 0.8
    if result.hairStyle == .fringe { result.hairStyle = .short }  // hair is not part of a face
    return result
  }
}
