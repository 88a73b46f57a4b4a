import Foundation
import Testing

@testable import Datasets

@Suite struct `data set statistics` {
  private typealias Balance = DatasetStatistics.Balance

  @Test(arguments: [
    (25000, 2500, "Audio: real 25000, fake 2500 (10.0:1) SEVERE"), (10, 10, "Audio: real 10, fake 10 (1.0:1) GOOD"),
    (299, 100, "Audio: real 299, fake 100 (3.0:1) GOOD"), (100, 300, "Audio: real 100, fake 300 (3.0:1) MODERATE"),
    (500, 100, "Audio: real 500, fake 100 (5.0:1) MODERATE"), (100, 501, "Audio: real 100, fake 501 (5.0:1) SEVERE"),
    (3, 0, "Audio: real 3, fake 0 (one class) ONE CLASS"),
  ])
  func `say how unequal the classes are`(real: Int, fake: Int, line: String) {
    #expect(Balance(.audio, ClassCounts(real: real, fake: fake)).line == line)
  }

  @Test func `advise what to do`() throws {
    #expect(Balance(.audio, ClassCounts(real: 25000, fake: 2500)).advice.contains("first add fake samples"))
    // Balanced sets come first when a ratio exceeds 3:1, each with its own ratio and size, and where to read on.
    for counts in [ClassCounts(real: 25000, fake: 2500), ClassCounts(real: 100, fake: 301)] {
      let advice = Balance(.audio, counts).advice
      #expect(advice.hasPrefix("first add") && advice.contains("av-deepfake1m (1.0:1, about 400 GB), lav-df (1.1:1"))
      #expect(advice.contains("fakeavceleb (1.1:1") && advice.contains("`unmask datasets describe NAME`"))
    }
    #expect(Balance(.image, ClassCounts(real: 1, fake: 9)).advice.contains("140k-faces (1.0:1, about 4 GB)"))
    #expect(!Balance(.audio, ClassCounts(real: 100, fake: 300)).advice.contains("first add"))
    #expect(Balance(.audio, ClassCounts(real: 25000, fake: 2500)).advice.contains("right for 90.9% of the samples"))
    // What auto does is said here as training will say it.
    for counts in [ClassCounts(real: 1, fake: 4), ClassCounts(real: 100, fake: 300), ClassCounts(real: 600, fake: 100)]
    {
      let reason = try #require(BalanceSettings(strategy: .auto).resolved(for: counts).reason)
      let clause = try #require(reason.wholeMatch(of: /auto (takes .*), as .*/)?.1)
      #expect(Balance(nil, counts).advice.contains("balance: auto, which \(clause); "))
    }
    #expect(Balance(.video, ClassCounts(real: 0, fake: 4)).advice.contains("no video model"))
  }

  @Test func `count each modality by its own label`() throws {
    var samples: [Sample] = []
    for (index, kind) in ["real", "voice", "voice", "face", "sync"].enumerated() {
      var sample = Sample(id: "\(index).mp4", dataset: "d", label: kind == "real" ? .real : .fake)
      sample.type = kind == "real" ? "" : kind
      sample.audioLabel = kind == "voice" ? .fake : .real
      sample.visualLabel = kind == "face" ? .fake : .real
      sample.modalities = [.image, .audio, .video]
      sample.identity = "p\(index % 2);q"
      samples.append(sample)
    }
    samples[4].modalities = .audio
    samples[4].problem = "the file is empty"
    let found = try DatasetStatistics(Dataset(samples: samples))
    #expect(found.overall.line == "Samples: real 1, fake 4 (4.0:1) MODERATE")
    #expect(
      found.modalities.map(\.line) == [
        "Image: real 3, fake 1 (3.0:1) MODERATE", "Audio: real 3, fake 2 (1.5:1) GOOD",
        "Video: real 3, fake 1 (3.0:1) MODERATE",
      ])
    #expect(found.types.map { "\($0.name) \($0.count)" } == ["voice 2", "face 1", "sync 1"])
    #expect(found.identities == 3 && found.groups == 1 && found.problems.map(\.count) == [1])
  }
}

@Suite struct `a scan` {
  @Test func `hashes what is there and says what is not`() throws {
    let folder = try TemporaryFolder()
    try folder.write("a.wav", "abc")
    try folder.write("empty.wav", "")
    try folder.write("folder.wav/inner", "x")
    try folder.write("v.mp4", "video")
    let url = try folder.write(
      "manifest.csv",
      "path,label,audio\na.wav,real,\nempty.wav,real,\nmissing.wav,fake,\nfolder.wav,fake,\nv.mp4,fake,gone.wav\n")
    let source = DataSource(name: "d", path: url.path)
    var options = ScanOptions()
    options.probesContent = false
    let found = try Dataset(reading: source).scanned(DataRoots([source]), options)
    #expect(found.samples[0].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(found.samples[0].bytes == 3)
    #expect(
      found.samples.map(\.problem) == [
        nil, "the file is empty", "the file is missing", "not a regular file", "audio stream: the file is missing",
      ])
    #expect(found.usable == [0])
  }

  @Test func `keeps the order of many samples and reports progress`() throws {
    let folder = try TemporaryFolder()
    var text = "path,label\n"
    for index in 0..<200 {
      try folder.write("\(index).wav", "content \(index)")
      text += "\(index).wav,\(index % 2 == 0 ? "real" : "fake")\n"
    }
    let url = try folder.write("manifest.csv", text)
    let source = DataSource(name: "d", path: url.path)
    var options = ScanOptions()
    options.probesContent = false
    options.threads = 4
    let data = try Dataset(reading: source)
    let found = try data.scanned(DataRoots([source]), options)
    #expect(found.samples.map(\.id) == data.samples.map(\.id) && Set(found.samples.map(\.sha256)).count == 200)
  }
}
