internal import Foundation
internal import Media

/// What a sample looks and sounds like, small enough for a report.
public struct SamplePreview: Sendable {
  /// What the file is: kind, length, size, coding.
  public let about: String
  /// The middle frame or the picture, PNG, 160 pixels at most along its shorter side.
  public let picture: [UInt8]?
  /// Time to the right, pitch upwards on the mel scale, louder is brighter; PNG.
  public let spectrogram: [UInt8]?

  /// Opens and decodes the sample's files; what cannot be decoded is left out.
  public init(_ sample: Sample, _ roots: DataRoots) {
    about = sample.paths.compactMap { try? Self.describe(Media.facts(of: roots.url(sample, $0))) }
      .joined(separator: " + ")
    picture = roots.file(sample, .image).flatMap { url in
      let fit = Fit.shortSide(160)
      let found =
        sample.modalities.contains(.video)
        ? try? Media.frames(of: url, count: 1, fit: fit).first?.image : try? Media.image(at: url)
      return found.map { (min($0.width, $0.height) > 160 ? $0.fitted(fit) : $0).png() }
    }
    spectrogram = roots.file(sample, .audio).flatMap { url in
      guard let sound = try? Media.sound(at: url).mono16k(), sound.frames > 400 else { return nil }
      return Self.drawn(sound.samples)?.png()
    }
  }

  private static func describe(_ facts: MediaFacts) -> String {
    let seconds = facts.duration.map { "\($0.rounded(to: 1)) s" }
    let pixels = facts.width.flatMap { width in facts.height.map { "\(width)×\($0)" } }
    let rate = facts.sampleRate.map { "\((Double($0) / 1000).rounded(to: 1)) kHz" }
    let format = facts.format.split(separator: ",").first.map(String.init)  // libav names a family: mov,mp4,m4a,…
    let codec = [format, facts.videoCodec, facts.audioCodec].compactMap(\.self).joined(separator: "/")
    return [seconds, pixels, rate, codec].compactMap(\.self).joined(separator: ", ")
  }

  // At most 240 columns; longer recordings show the loudest of the frames that share a column.
  private static func drawn(_ samples: [Float]) -> ImagePixels? {
    let spectrum = Spectrogram(.torchaudioMel(bands: 64)).decibels(samples)
    let (width, height) = (min(240, spectrum.frames), spectrum.rows)
    guard width > 0, let loudest = spectrum.values.max() else { return nil }
    var pixels = [UInt8](repeating: 0, count: 3 * width * height)
    for row in 0..<height {
      for column in 0..<width {
        let (first, last) = (column * spectrum.frames / width, (column + 1) * spectrum.frames / width)
        let values = spectrum.values[row * spectrum.frames + first..<row * spectrum.frames + max(first + 1, last)]
        let level = Double(max(0, min(1, 1 + (values.max()! - loudest) / 80)))
        // Black, purple, orange, pale: brightness alone tells the level too.
        let place = 3 * ((height - 1 - row) * width + column)
        pixels[place] = UInt8(255 * min(1, 1.6 * level))
        pixels[place + 1] = UInt8(255 * max(0, min(1, 1.9 * level - 0.75)))
        pixels[place + 2] = UInt8(
          255 * max(0, min(1, level < 0.5 ? 1.1 * level : 1.1 - 1.1 * level + max(0, 2.6 * level - 1.8))))
      }
    }
    return ImagePixels(width: width, height: height, pixels: pixels)
  }
}
