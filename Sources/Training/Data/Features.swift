import Media
import Models

/// The logarithmic mel spectrogram of a sound: `[mels, frames]`.
func logMel(_ samples: [Float], _ mel: Preprocessing.LogMel) -> PreparedSample {
  let spectrum = Spectrogram(
    SpectrogramConfiguration(
      sampleRate: mel.sampleRate, fftSize: mel.transform, windowLength: mel.window, hopLength: mel.hop,
      padding: .reflect, scale: .melSlaney, bands: mel.mels)
  ).logBands(samples)
  return PreparedSample(spectrum.values, shape: [spectrum.rows, spectrum.frames])
}

/// Mean, then deviation of each cepstral coefficient: `[2·coefficients]`.
func cepstraSummary(_ samples: [Float], _ cepstra: Preprocessing.Cepstra) -> PreparedSample {
  let spectrum = Spectrogram(
    SpectrogramConfiguration(
      sampleRate: cepstra.sampleRate, fftSize: cepstra.transform, windowLength: cepstra.window,
      hopLength: cepstra.hop, padding: .reflect, scale: .melSlaney, bands: cepstra.mels)
  ).cepstrum(samples, count: cepstra.coefficients)
  var (means, deviations): ([Float], [Float]) = ([], [])
  for row in 0..<spectrum.rows {
    let values = spectrum.values[(row * spectrum.frames)..<((row + 1) * spectrum.frames)]
    let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
    let variance = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(values.count)
    means.append(Float(mean))
    deviations.append(Float(variance.squareRoot()))
  }
  return PreparedSample(means + deviations, shape: [2 * spectrum.rows])
}
