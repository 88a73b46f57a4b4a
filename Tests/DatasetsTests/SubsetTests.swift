import Foundation
import Testing

@testable import Datasets

@Suite struct `a subset` {
  private let data = Dataset(
    samples: (0..<90).map { index in
      var sample = Sample(id: "\(index).mp4", dataset: "d", label: index % 3 == 0 ? .real : .fake)
      if index % 3 == 1 { sample.audioLabel = .real }
      sample.modalities = [.audio, .image, .video]
      sample.extra = ["c\(index)"]
      sample.identity = "p"
      return sample
    }, extraColumns: ["camera"])

  @Test func `has the classes asked for, by the labels of a modality`() throws {
    let found = try data.subset(real: 3, fake: nil, seed: 1)
    #expect(found.samples.count { $0.label == .real } == 3 && found.samples.count { $0.label == .fake } == 60)
    let heard = try data.subset(real: 5, fake: 20, modality: .audio, seed: 1)
    #expect(heard.samples.count { $0.audioLabel == .real } == 5 && heard.samples.count { $0.audioLabel == .fake } == 20)
    #expect(try data.subset(real: 3, fake: nil, seed: 1).samples == found.samples)
    #expect(try data.subset(real: 3, fake: nil, seed: 2).samples != found.samples)
    #expect(throws: DatasetError.self) { try data.subset(real: 31, fake: nil, seed: 1) }
  }

  @Test func `goes through a manifest unchanged`() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("subset.csv")
    let found = try data.subset(real: 4, fake: 4, seed: 3)
    try SampleTable.writeManifest(found, to: url)
    var back = try Dataset(reading: DataSource(name: "d", path: url.path))
    for index in back.samples.indices { back.samples[index].line = nil }
    #expect(back.samples == found.samples && back.extraColumns == ["camera"])
  }
}
