// What is done with a file before it is scaled or windowed: faces are found and cut out, silence is trimmed.

extension Preprocessing {
  /// The main face's crop in place of the whole picture.
  public struct Faces: Hashable, Sendable, Codable {
    /// The part that is cut out: `face` or `mouth`.
    public var crop: String
    /// The detector: `cascade` or `yunet`.
    public var detector: String
    /// SHA-256 over the detector's files.
    public var detectorHash: String
    /// The version of OpenCV that found the faces in training.
    public var openCV: String
    /// What is added on every side, as a share of the part's side.
    public var margin: Double
    /// Width and height of the crop in pixels, before the model's own scaling.
    public var size: Int
    /// Turns the crop so that the eyes lie level.
    public var aligns: Bool
    /// The smallest face, as a share of the picture's shorter side.
    public var smallest: Double
    /// What a file without a face gives: no score and a reason (`exclude`), or its whole pictures (`frame`).
    public var missing: String

    /// Makes the description.
    public init(
      crop: String = "face", detector: String = "cascade", detectorHash: String, openCV: String, margin: Double = 0.3,
      size: Int = 224, aligns: Bool = true, smallest: Double = 0.1, missing: String = "exclude"
    ) {
      (self.crop, self.detector, self.detectorHash, self.openCV) = (crop, detector, detectorHash, openCV)
      (self.margin, self.size, self.aligns, self.smallest, self.missing) = (margin, size, aligns, smallest, missing)
    }

    enum CodingKeys: String, CodingKey {
      case crop, detector, margin, size, smallest, missing
      case detectorHash = "detector_sha256", openCV = "opencv", aligns = "align"
    }

    func validate(_ check: (Bool, String) throws -> Void) throws {
      try check(["face", "mouth"].contains(crop), "part of the face")
      try check(["cascade", "yunet"].contains(detector), "face detector")
      try check((0...2).contains(margin), "margin of the face")
      try check((16...1024).contains(size), "size of the face")
      try check((0.01...1).contains(smallest), "smallest face")
      try check(["exclude", "frame"].contains(missing), "rule for files without a face")
    }
  }

  /// Silence taken off at both ends of a sound.
  public struct Trim: Hashable, Sendable, Codable {
    /// 10 ms so far below the loudest 10 ms, or further, are silent.
    public var decibels: Double
    /// Shorter silence stays.
    public var minimumSeconds: Double

    /// Makes the description.
    public init(decibels: Double = 40, minimumSeconds: Double = 0.1) {
      (self.decibels, self.minimumSeconds) = (decibels, minimumSeconds)
    }

    enum CodingKeys: String, CodingKey {
      case decibels
      case minimumSeconds = "minimum_seconds"
    }

    func validate(_ check: (Bool, String) throws -> Void) throws {
      try check((1...200).contains(decibels), "level of silence")
      try check((0...60).contains(minimumSeconds), "length of silence")
    }
  }

  /// How faces are cut out; nil where they are not, and for sound.
  public var faces: Faces? {
    get {
      switch self {
      case .frames(let input): input.faces
      case .clips(let input): input.faces
      case .logMel, .cepstra, .waveform: nil
      }
    }
    set {
      switch self {
      case .frames(var input):
        input.faces = newValue
        self = .frames(input)
      case .clips(var input):
        input.faces = newValue
        self = .clips(input)
      case .logMel, .cepstra, .waveform: break
      }
    }
  }

  /// How silence is trimmed; nil where it is not, and for pictures.
  public var trim: Trim? {
    get {
      switch self {
      case .logMel(let input): input.trim
      case .cepstra(let input): input.trim
      case .waveform(let input): input.trim
      case .frames, .clips: nil
      }
    }
    set {
      switch self {
      case .logMel(var input):
        input.trim = newValue
        self = .logMel(input)
      case .cepstra(var input):
        input.trim = newValue
        self = .cepstra(input)
      case .waveform(var input):
        input.trim = newValue
        self = .waveform(input)
      case .frames, .clips: break
      }
    }
  }

  /// What is done first, in words; empty when nothing is.
  var preparation: String {
    if let faces { return " of the main \(faces.crop), found by \(faces.detector)" }
    if let trim { return ", silence below -\(trim.decibels) dB trimmed" }
    return ""
  }
}
