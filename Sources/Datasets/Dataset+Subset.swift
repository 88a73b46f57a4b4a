internal import Files
public import Foundation

extension Dataset {
  /// At most so many samples of each class, chosen by the seed and the samples' names alone: a smaller or a more unequal
  /// version of the same data.
  ///
  /// - Parameters:
  ///   - modality: whose labels count; nil for the samples' own. Samples without it are left out.
  ///   - real: real samples; nil for all. `fake` likewise.
  /// - Throws: `DatasetError` when there are fewer than asked for.
  public func subset(real: Int?, fake: Int?, modality: Modality? = nil, seed: UInt64) throws -> Dataset {
    var chosen: Set<Int> = []
    for (label, wanted) in [(Label.real, real), (.fake, fake)] {
      let all = samples.indices.filter { index in
        let sample = samples[index]
        guard let modality else { return sample.label == label }
        return sample.modalities.contains(Modalities(modality)) && sample.label(for: modality) == label
      }
      if let wanted, wanted > all.count || wanted < 1 {
        throw DatasetError(
          "subset",
          "\(wanted) samples with the \(modality.map { "\($0.rawValue) " } ?? "")label \(label.name) were asked for, and the "
            + "data has \(all.count)")
      }
      let ranks = all.map { (rank: KeyedRandom.rank(seed: seed, samples[$0].dataset, samples[$0].id), index: $0) }
      chosen.formUnion(
        ranks.sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }.prefix(wanted ?? all.count).map(\.index))
    }
    return Dataset(samples: samples.indices.filter(chosen.contains).map { samples[$0] }, extraColumns: extraColumns)
  }
}

extension SampleTable {
  /// Writes a manifest of these samples, with the columns that say something.
  ///
  /// - Parameter url: a file in the folder that the samples' paths are relative to.
  /// - Throws: `FileProblem`.
  public static func writeManifest(_ dataset: Dataset, to url: URL) throws {
    let rows = dataset.samples.map { sample in
      [
        sample.id, sample.label.name, sample.type, sample.imagePath ?? "", sample.audioPath ?? "",
        sample.videoPath ?? "", sample.audioLabel == sample.label ? "" : sample.audioLabel.name,
        sample.visualLabel == sample.label ? "" : sample.visualLabel.name, sample.identity ?? "", sample.source ?? "",
        sample.group ?? "", sample.split ?? "", sample.dataset, FakeInterval.text(sample.intervals),
        sample.weight == 1 ? "" : "\(sample.weight)",
      ] + sample.extra
    }
    let header = ManifestLayout.columns + dataset.extraColumns
    let used = header.indices.filter { column in rows.contains { !$0[column].isEmpty } }
    var file = CSVWriter(header: used.map { header[$0] })
    for row in rows { file.append(used.map { row[$0] }) }
    try writeAtomically(file.text, to: url)
  }
}
