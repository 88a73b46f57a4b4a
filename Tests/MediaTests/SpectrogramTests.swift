// Spectral features against torchaudio's and librosa's definitions, and against a plain Fourier sum.

import Foundation
import Media
import Testing

@Suite struct Spectrograms {
  struct Listed: Decodable {
    struct Definition: Decodable {
      let name: String
      let convention: String
      let sample_rate: Int
      let n_fft: Int
      let win_length: Int
      let hop_length: Int
      let pad_mode: String
      let n_mels: Int
      let mel_scale: String
      let mel_norm: String?
      let f_min: Double
      let f_max: Double
      let n_mfcc: Int
      let lfcc_filters: Int?
      let n_lfcc: Int?
      let tolerance_relative_l2: [String: Double]

      func configuration(_ scale: FilterScale, _ bands: Int) -> SpectrogramConfiguration {
        SpectrogramConfiguration(
          sampleRate: sample_rate, fftSize: n_fft, windowLength: win_length, hopLength: hop_length,
          padding: pad_mode == "reflect" ? .reflect : .zero, scale: scale,
          height: mel_norm == "slaney" ? .area : .peak, bands: bands, lowest: f_min, highest: f_max)
      }
    }
    let definitions: [Definition]
  }

  @Test func `features agree with the reference definitions`() throws {
    let folder = Fixture.cases("features")
    let tensors = try Tensors(folder.appending(path: "expected.safetensors"))
    let samples = try Media.sound(at: folder.appending(path: "input.wav")).mono16k().samples
    #expect(samples == (try tensors.floats("input")))
    for d in try Fixture.json(Listed.self, folder.appending(path: "features.json")).definitions {
      func check(_ found: Spectrum, _ name: String, _ bound: String? = nil) throws {
        #expect([found.rows, found.frames] == (try tensors.shape("\(d.name)/\(name)")))
        let tolerance = try #require(d.tolerance_relative_l2[bound ?? name])
        #expect(relativeError(found.values, try tensors.floats("\(d.name)/\(name)")) <= tolerance, "\(d.name) \(name)")
      }
      let mel = Spectrogram(d.configuration(d.mel_scale == "htk" ? .melHTK : .melSlaney, d.n_mels))
      #expect(relativeError(mel.filters, try tensors.floats("\(d.name)/mel_filters")) <= 1e-4)
      try check(mel.power(samples), "power_spectrogram")
      try check(mel.bands(samples), "mel")
      try check(mel.logBands(samples), "log_mel")
      try check(mel.decibels(samples), "mel_db")
      try check(mel.cepstrum(samples, count: d.n_mfcc), "mfcc")
      if let filters = d.lfcc_filters, let count = d.n_lfcc {
        let linear = Spectrogram(d.configuration(.linear, filters))
        #expect(relativeError(linear.filters, try tensors.floats("\(d.name)/linear_filters")) <= 1e-4)
        try check(linear.bands(samples), "linear", "mel")
        try check(linear.cepstrum(samples, count: count), "lfcc")
      }
    }
  }

  @Test func `presets are the reference definitions`() throws {
    let definitions = try Fixture.json(Listed.self, Fixture.cases("features").appending(path: "features.json"))
      .definitions
    #expect(SpectrogramConfiguration.torchaudioMel() == definitions[0].configuration(.melHTK, 40))
    #expect(SpectrogramConfiguration.torchaudioLinear() == definitions[0].configuration(.linear, 60))
    #expect(SpectrogramConfiguration.librosaMel() == definitions[1].configuration(.melSlaney, 64))
  }

  @Test(arguments: [(10, 10, 3, 37), (15, 8, 4, 40), (16, 16, 5, 1), (16, 16, 5, 3)])
  func `power is the squared Fourier sum of windowed, mirrored samples`(size: Int, width: Int, hop: Int, count: Int) {
    let samples = (0..<count).map { Float(sin(Double($0 * $0) * 0.37)) }
    let found = Spectrogram(
      SpectrogramConfiguration(
        fftSize: size, windowLength: width, hopLength: hop, padding: .reflect, scale: .linear, bands: 2)
    ).power(samples)
    #expect(found.rows == size / 2 + 1 && found.frames == 1 + count / hop)
    func mirrored(_ i: Int) -> Double {
      var i = i
      while count > 1, i < 0 || i >= count { i = i < 0 ? -i : 2 * (count - 1) - i }
      return Double(samples[count > 1 ? i : 0])
    }
    for frame in 0..<found.frames {
      for bin in 0..<found.rows {
        var (re, im) = (0.0, 0.0)
        for i in 0..<width {
          let at = (size - width) / 2 + i
          let x = mirrored(frame * hop - size / 2 + at) * (0.5 - 0.5 * cos(2 * .pi * Double(i) / Double(width)))
          re += x * cos(2 * .pi * Double(bin * at) / Double(size))
          im -= x * sin(2 * .pi * Double(bin * at) / Double(size))
        }
        #expect(abs(Double(found.values[bin * found.frames + frame]) - (re * re + im * im)) < 1e-4)
      }
    }
  }

  @Test func `many threads get the same bits`() async {
    let samples = (0..<16_000).map { Float(sin(Double($0) * 0.05)) }
    let expected = Spectrogram(.torchaudioMel()).logBands(samples)
    await withTaskGroup(of: Spectrum.self) { group in
      for _ in 0..<8 { group.addTask { Spectrogram(.torchaudioMel()).logBands(samples) } }
      for await found in group { #expect(found == expected) }
    }
  }

  @Test func `an empty sound has one silent frame`() {
    let found = Spectrogram(.torchaudioMel()).logBands([])
    #expect(found.frames == 1 && found.values.allSatisfy { $0 == Float(log(1e-6)) })
  }
}
