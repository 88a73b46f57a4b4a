/// How a file becomes a model's input. It is a value: it is chosen by the architecture, stored inside every model file,
/// part of the cache's key, and applied in the same way in training, in evaluation and in prediction.
///
///     let input = Preprocessing.logMel(.init(mels: 64, windowFrames: 200, maximumWindows: 8))
///     print(input.parts)          // "up to 8 windows of 2.00 s: log-mel [1, 64, 200]"
public enum Preprocessing: Hashable, Sendable {
  /// Single frames as RGB pictures: `[3, size, size]`.
  case frames(Frames)
  /// Windows of a logarithmic mel spectrogram: `[1, mels, windowFrames]`.
  case logMel(LogMel)
  /// Runs of consecutive frames: `[3, length, size, size]`.
  case clips(Clips)
  /// Mean and deviation of each cepstral coefficient over the whole sound: `[2·coefficients]`.
  case cepstra(Cepstra)
  /// Windows of the sound itself: `[window]`, or `[2, window]` with a mask as second row.
  case waveform(Waveform)

  /// Frames of a video evenly spaced by timestamp, or the one picture of an image file.
  public struct Frames: Hashable, Sendable, Codable {
    /// Frames a video gives.
    public var count: Int
    /// Width and height after resizing, in pixels.
    public var size: Int
    /// Subtracted from each channel, on a scale where white is 1.
    public var mean: [Float]
    /// Divides each channel afterwards.
    public var deviation: [Float]
    /// True gives the network one flat vector `[3·size·size]` a frame instead of a picture.
    public var flat: Bool
    /// How a picture comes to this size; nil scales it to cover the square and takes the middle.
    public var scaling: Scaling?
    /// Cuts the main face out first.
    public var faces: Faces?

    /// Makes the description; mean and deviation default to those of natural pictures on ImageNet.
    public init(
      count: Int = 8, size: Int, mean: [Float] = [0.485, 0.456, 0.406], deviation: [Float] = [0.229, 0.224, 0.225],
      flat: Bool = false, scaling: Scaling? = nil
    ) {
      (self.count, self.size, self.mean, self.deviation, self.flat) = (count, size, mean, deviation, flat)
      self.scaling = scaling
    }
  }

  /// Scaling as the image processor of a published model does it; the middle of the result is taken, black beyond it.
  public struct Scaling: Hashable, Sendable, Codable {
    /// What `side` is.
    public enum Mode: String, Hashable, Sendable, Codable {
      /// Width and height, whatever the picture's aspect ratio.
      case exact
      /// The shorter side; the aspect ratio stays.
      case shortSide = "short_side"
      /// Nothing: the picture stays as large as it is.
      case none
    }
    /// What `side` is.
    public var mode: Mode
    /// Pixels.
    public var side: Int
    /// `nearest`, `box`, `bilinear`, `hamming`, `bicubic` or `lanczos`, as Pillow does them.
    public var filter: String

    /// Makes the description.
    public init(_ mode: Mode, side: Int, filter: String) {
      (self.mode, self.side, self.filter) = (mode, side, filter)
    }

    static let filters = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]

    func validate(_ check: (Bool, String) throws -> Void) throws {
      try check((1...8192).contains(side), "size that pictures are scaled to")
      try check(Self.filters.contains(filter), "filter")
    }
  }

  /// Sound itself, mono, in windows of fixed length.
  public struct Waveform: Hashable, Sendable, Codable {
    /// Samples a second after resampling.
    public var sampleRate: Int
    /// Samples that the network sees at once.
    public var window: Int
    /// Most windows that one sample is scored on, evenly spaced.
    public var maximumWindows: Int
    /// Sound beyond this many seconds is not read.
    public var maximumSeconds: Double
    /// Gives each window mean 0 and variance 1.
    public var normalises: Bool
    /// A sound shorter than the window is followed by silence, and a mask tells the network so; otherwise it is repeated.
    public var hasMask: Bool
    /// Takes silence off at both ends first.
    public var trim: Trim?

    /// Makes the description; the default window is 2 seconds at 16 kHz.
    public init(
      sampleRate: Int = 16_000, window: Int = 32_000, maximumWindows: Int = 8, maximumSeconds: Double = 30,
      normalises: Bool = true, hasMask: Bool = false
    ) {
      (self.sampleRate, self.window, self.maximumWindows) = (sampleRate, window, maximumWindows)
      (self.maximumSeconds, self.normalises, self.hasMask) = (maximumSeconds, normalises, hasMask)
    }

    enum CodingKeys: String, CodingKey {
      case sampleRate = "sample_rate", window, maximumWindows = "maximum_windows", maximumSeconds = "maximum_seconds"
      case normalises, hasMask = "mask", trim
    }
  }

  /// Sound at 16 kHz mono as log-mel energies, in windows of fixed length, each with mean 0 and deviation 1.
  public struct LogMel: Hashable, Sendable, Codable {
    /// Samples a second after resampling.
    public var sampleRate: Int
    /// Samples of one Fourier window.
    public var window: Int
    /// Samples between spectrogram frames.
    public var hop: Int
    /// Length of the transform, at least `window`.
    public var transform: Int
    /// Mel bands.
    public var mels: Int
    /// Spectrogram frames that the network sees at once.
    public var windowFrames: Int
    /// Most windows that one sample is scored on, evenly spaced.
    public var maximumWindows: Int
    /// Sound beyond this many seconds is not read.
    public var maximumSeconds: Double
    /// Takes silence off at both ends first.
    public var trim: Trim?

    /// Makes the description; the defaults are 25 ms windows every 10 ms.
    public init(
      sampleRate: Int = 16_000, window: Int = 400, hop: Int = 160, transform: Int = 512, mels: Int = 64,
      windowFrames: Int = 200, maximumWindows: Int = 8, maximumSeconds: Double = 30
    ) {
      (self.sampleRate, self.window, self.hop, self.transform) = (sampleRate, window, hop, transform)
      (self.mels, self.windowFrames, self.maximumWindows) = (mels, windowFrames, maximumWindows)
      self.maximumSeconds = maximumSeconds
    }

    enum CodingKeys: String, CodingKey {
      case sampleRate = "sample_rate", window, hop, transform, mels, trim
      case windowFrames = "window_frames", maximumWindows = "maximum_windows", maximumSeconds = "maximum_seconds"
    }
  }

  /// Runs of frames at a fixed rate, evenly spaced over the video.
  public struct Clips: Hashable, Sendable, Codable {
    /// Runs that one sample is scored on.
    public var count: Int
    /// Frames of a run.
    public var length: Int
    /// Frames a second, whatever the video's own rate is.
    public var rate: Double
    /// Width and height after resizing, in pixels.
    public var size: Int
    /// Subtracted from each channel, on a scale where white is 1.
    public var mean: [Float]
    /// Divides each channel afterwards.
    public var deviation: [Float]
    /// How a picture comes to this size; nil scales it to cover the square and takes the middle.
    public var scaling: Scaling?
    /// Cuts the main face out first.
    public var faces: Faces?

    /// Makes the description.
    public init(
      count: Int = 3, length: Int = 16, rate: Double = 25, size: Int = 64, mean: [Float] = [0.5, 0.5, 0.5],
      deviation: [Float] = [0.25, 0.25, 0.25], scaling: Scaling? = nil
    ) {
      (self.count, self.length, self.rate, self.size) = (count, length, rate, size)
      (self.mean, self.deviation, self.scaling) = (mean, deviation, scaling)
    }
  }

  /// Mel-frequency cepstral coefficients, summarised over the whole sound.
  public struct Cepstra: Hashable, Sendable, Codable {
    /// Samples a second after resampling.
    public var sampleRate: Int
    /// Samples of one Fourier window.
    public var window: Int
    /// Samples between spectrogram frames.
    public var hop: Int
    /// Length of the transform.
    public var transform: Int
    /// Mel bands under the cosine transform.
    public var mels: Int
    /// Coefficients kept, the first included.
    public var coefficients: Int
    /// Sound beyond this many seconds is not read.
    public var maximumSeconds: Double
    /// Takes silence off at both ends first.
    public var trim: Trim?

    /// Makes the description.
    public init(
      sampleRate: Int = 16_000, window: Int = 400, hop: Int = 160, transform: Int = 512, mels: Int = 40,
      coefficients: Int = 20, maximumSeconds: Double = 30
    ) {
      (self.sampleRate, self.window, self.hop, self.transform) = (sampleRate, window, hop, transform)
      (self.mels, self.coefficients, self.maximumSeconds) = (mels, coefficients, maximumSeconds)
    }

    enum CodingKeys: String, CodingKey {
      case sampleRate = "sample_rate", window, hop, transform, mels, coefficients, maximumSeconds = "maximum_seconds"
      case trim
    }
  }

  /// Shape of one part (frame, window, clip) as the network sees it, without the batch.
  public var partShape: [Int] {
    switch self {
    case .frames(let input): input.flat ? [3 * input.size * input.size] : [3, input.size, input.size]
    case .logMel(let input): [1, input.mels, input.windowFrames]
    case .clips(let input): [3, input.length, input.size, input.size]
    case .cepstra(let input): [2 * input.coefficients]
    case .waveform(let input): input.hasMask ? [2, input.window] : [input.window]
    }
  }

  // On a scale where white is 1. Published ones are near 0.5 and 0.25; 1/255 where a processor does not rescale.
  static let largestMean: Float = 1e4
  static let deviations: ClosedRange<Float> = 1e-5...1e4

  /// Checks that sizes are such as a model can have; a model file is not trusted.
  ///
  /// - Throws: `ModelError` naming the field.
  public func validate() throws {
    func check(_ isValid: Bool, _ field: String) throws {
      guard isValid else { throw ModelError("the model's input has an impossible \(field); use another model file") }
    }
    func checkNormalisation(_ mean: [Float], _ deviation: [Float]) throws {
      try check(mean.count == 3 && deviation.count == 3, "mean or deviation")
      try check(mean.allSatisfy { abs($0) <= Preprocessing.largestMean }, "mean")
      try check(deviation.allSatisfy(Preprocessing.deviations.contains), "deviation")
    }
    try faces?.validate(check)
    try trim?.validate(check)
    switch self {
    case .frames(let input):
      try check((1...1024).contains(input.count), "number of frames")
      try check((1...4096).contains(input.size), "picture size")
      try input.scaling?.validate(check)
      try checkNormalisation(input.mean, input.deviation)
    case .clips(let input):
      try check((1...64).contains(input.count), "number of clips")
      try check((2...1024).contains(input.length), "clip length")
      try check(input.rate > 0 && input.rate <= 1000, "frame rate")
      try check((1...1024).contains(input.size), "picture size")
      try input.scaling?.validate(check)
      try checkNormalisation(input.mean, input.deviation)
    case .logMel(let input):
      try check((1000...192_000).contains(input.sampleRate), "sample rate")
      try check(input.window >= 1 && input.window <= input.transform && input.transform <= 1 << 16, "window")
      try check(input.hop >= 1 && input.hop <= input.window, "hop")
      try check((1...1024).contains(input.mels), "number of mel bands")
      try check((1...100_000).contains(input.windowFrames), "window of frames")
      try check((1...1024).contains(input.maximumWindows), "number of windows")
      try check(input.maximumSeconds > 0 && input.maximumSeconds <= 36_000, "length")
    case .cepstra(let input):
      try check((1000...192_000).contains(input.sampleRate), "sample rate")
      try check(input.window >= 1 && input.window <= input.transform && input.transform <= 1 << 16, "window")
      try check(input.hop >= 1 && input.hop <= input.window, "hop")
      try check((1...1024).contains(input.mels), "number of mel bands")
      try check(input.coefficients >= 1 && input.coefficients <= input.mels, "number of coefficients")
      try check(input.maximumSeconds > 0 && input.maximumSeconds <= 36_000, "length")
    case .waveform(let input):
      try check((1000...192_000).contains(input.sampleRate), "sample rate")
      try check((1...10_000_000).contains(input.window), "window of samples")
      try check((1...1024).contains(input.maximumWindows), "number of windows")
      try check(input.maximumSeconds > 0 && input.maximumSeconds <= 36_000, "length")
    }
  }

  /// What one sample gives the model, in words.
  public var parts: String {
    switch self {
    case .frames(let input): "up to \(input.count) frames\(preparation): RGB \(partShape)"
    case .logMel(let input):
      "up to \(input.maximumWindows) windows of "
        + "\(Double(input.windowFrames * input.hop * 100 / input.sampleRate) / 100) s\(preparation): log-mel \(partShape)"
    case .clips(let input):
      "\(input.count) clips of \(input.length) frames at \(input.rate) a second\(preparation): RGB \(partShape)"
    case .cepstra(let input): "one vector: mean and deviation of \(input.coefficients) MFCC\(preparation) \(partShape)"
    case .waveform(let input):
      "up to \(input.maximumWindows) windows of \(Double(input.window * 100 / input.sampleRate) / 100) s: sound at "
        + "\(input.sampleRate) Hz\(preparation) \(partShape)"
    }
  }
}

extension Preprocessing: Codable {
  private enum CodingKeys: String, CodingKey { case kind }

  /// Reads the flat form: the key `kind`, and the fields of that kind beside it.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let kind = try container.decode(String.self, forKey: .kind)
    switch kind {
    case "frames": self = .frames(try Frames(from: decoder))
    case "log_mel": self = .logMel(try LogMel(from: decoder))
    case "clips": self = .clips(try Clips(from: decoder))
    case "cepstra": self = .cepstra(try Cepstra(from: decoder))
    case "waveform": self = .waveform(try Waveform(from: decoder))
    default:
      throw DecodingError.dataCorruptedError(
        forKey: .kind, in: container, debugDescription: "no preprocessing is called \"\(kind)\"")
    }
  }

  /// Writes the flat form.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .frames(let input):
      try container.encode("frames", forKey: .kind)
      try input.encode(to: encoder)
    case .logMel(let input):
      try container.encode("log_mel", forKey: .kind)
      try input.encode(to: encoder)
    case .clips(let input):
      try container.encode("clips", forKey: .kind)
      try input.encode(to: encoder)
    case .cepstra(let input):
      try container.encode("cepstra", forKey: .kind)
      try input.encode(to: encoder)
    case .waveform(let input):
      try container.encode("waveform", forKey: .kind)
      try input.encode(to: encoder)
    }
  }
}
