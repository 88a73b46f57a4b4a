import Foundation
import Testing

@testable import Datasets

@Suite struct `a manifest` {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func read(_ text: String, columns: [String: String] = [:]) throws -> Dataset {
    let url = try folder.write("manifest.csv", text)
    return try Dataset(reading: DataSource(name: "clips", layout: "manifest", path: url.path, columns: columns))
  }

  private func message(_ text: String, columns: [String: String] = [:]) -> String {
    do {
      _ = try read(text, columns: columns)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func `with every column gives every field`() throws {
    let header =
      "path,label,type,image,audio,video,audio_label,visual_label,identity,source,group,split,dataset,intervals,weight,camera"
    let row =
      "a/b.mp4,fake,lipsync,a/b.png,./a//b.wav,a/b.mkv,real,fake,p1;p2,p3,g1,train,other,0.5-1.25;2-3,2.5,\"X, 1\""
    let data = try read(header + "\r\n" + row + "\r\n")
    let sample = try #require(data.samples.first)
    #expect(data.samples.count == 1 && data.extraColumns == ["camera"] && sample.extra == ["X, 1"])
    #expect(sample.id == "a/b.mp4" && sample.dataset == "other" && sample.root == "clips" && sample.type == "lipsync")
    #expect(sample.label == .fake && sample.audioLabel == .real && sample.visualLabel == .fake)
    #expect(
      sample.label(for: .audio) == .real && sample.label(for: .video) == .fake && sample.label(for: .image) == .fake)
    #expect(sample.path(for: .image) == "a/b.png" && sample.path(for: .audio) == "a/b.wav")
    #expect(sample.path(for: .video) == "a/b.mkv")
    #expect(sample.identity == "p1;p2" && sample.source == "p3" && sample.group == "g1" && sample.split == "train")
    #expect(
      sample.intervals == [FakeInterval(start: 0.5, end: 1.25), FakeInterval(start: 2, end: 3)] && sample.weight == 2.5)
  }

  @Test func `with two columns has the defaults`() throws {
    let data = try read("label,path\nreal,a.wav\nfake,b.jpg\n")
    #expect(data.samples.map(\.label) == [.real, .fake] && data.samples.map(\.dataset) == ["clips", "clips"])
    #expect(data.samples[0].modalities == .audio && data.samples[1].modalities == .image)
    #expect(data.samples[1].audioLabel == .fake && data.samples[1].weight == 1 && data.samples[1].identity == nil)
    #expect(data.samples[0].path(for: .image) == nil)
  }

  @Test func `may call its columns otherwise`() throws {
    let data = try read(
      "file,truth,speaker\na.wav,real,anna\nb.wav,fake,bert\n",
      columns: ["path": "file", "label": "truth", "identity": "speaker"])
    #expect(data.samples.map(\.identity) == ["anna", "bert"] && data.extraColumns.isEmpty)
    #expect(
      message("path,label\na,real\n", columns: ["identity": "speaker"]).contains(
        "\"speaker\", named for identity, is missing"))
    #expect(message("path,label\na,real\n", columns: ["idntity": "label"]).contains("\"idntity\" is not a column"))
  }

  @Test(arguments: [
    ("path\na.wav\n", ":1", "the column \"label\" is missing"),
    ("path,label\na.wav,real\nb.wav,bonafide\n", ":3", "label \"bonafide\" is neither real nor fake"),
    ("path,label\na.wav,1\n", ":2", "neither real nor fake"),
    ("path,label\na.wav,\n", ":2", "the label is empty"),
    ("path,label\n,real\n", ":2", "the path is empty"),
    ("path,label\na.wav,real\nb.wav,real\n./a.wav,fake\n", ":4", "stands on line 2 already"),
    ("path,label\n../a.wav,real\n", ":2", "leaves the manifest's folder"),
    ("path,label\nx/../../a.wav,real\n", ":2", "leaves the manifest's folder"),
    ("path,label\n/etc/a.wav,real\n", ":2", "leaves the manifest's folder"),
    ("path,label,audio\na.mp4,real,../b.wav\n", ":2", "leaves the manifest's folder"),
    ("path,label,audio_label\na.wav,real,fake\n", ":2", "a sample with a fake part is fake"),
    ("path,label,intervals\na.wav,fake,3-2\n", ":2", "intervals \"3-2\""),
    ("path,label,intervals\na.wav,real,1-2\n", ":2", "intervals name fake parts"),
    ("path,label,weight\na.wav,fake,-1\n", ":2", "weight \"-1\""),
    ("path,label\na.wav,real,x\n", ":2", "3 fields"),
    ("path,label\n", "", "no samples are listed"),
  ])
  func `that is wrong says where and what`(text: String, line: String, part: String) {
    let found = message(text)
    #expect(found.contains("manifest.csv\(line)") && found.contains(part), "\(found)")
  }

  @Test func `goes through samples csv unchanged`() throws {
    var data = try read(
      "path,label,type,audio,identity,intervals,weight,camera\nä/b.mp4,fake,x,b.wav,p;q,0.1-0.7,0.1,\"a \"\"b\"\"\nc\"\nr.png,real,,,,,,\n"
    )
    data.samples[0].sha256 = "00ff"
    data.samples[0].bytes = 12
    let contents = [3, 9].map { FileContent(sha256: String(repeating: "\($0)", count: 64), bytes: $0) }
    data.samples[0].contents = contents
    data.samples[1].problem = "no, \"really\""
    let url = folder.url.appendingPathComponent("run/samples.csv")
    try SampleTable.write(data, to: url)
    let back = try SampleTable.read(url)
    #expect(data.samples.map(\.line) == [2, 4])
    for index in data.samples.indices { data.samples[index].line = nil }
    #expect(back.samples == data.samples && back.extraColumns == ["camera"])
    #expect(back.samples[0].content(of: "b.wav") == contents[1])
    #expect(back.samples[1].content(of: "r.png") == nil)
  }

  @Test func `and another one join into one data set`() throws {
    let first = try read("path,label,camera\na.wav,real,c1\n")
    let url = try folder.write("other.csv", "path,label,lens\na.wav,fake,l1\n")
    let second = try Dataset(reading: DataSource(name: "more", path: url.path))
    let both = try Dataset(joining: [first, second])
    #expect(both.extraColumns == ["camera", "lens"] && both.samples.map(\.extra) == [["c1", ""], ["", "l1"]])
    #expect(throws: DatasetError.self) { try Dataset(joining: [first, first]) }
  }

  @Test func `whose names clash with another set's goes by its entry's name`() throws {
    func part(_ name: String, _ text: String) throws -> Dataset {
      let url = try folder.write("\(name).csv", text)
      return try Dataset(reading: DataSource(name: name, path: url.path))
    }
    let first = try part("one", "path,label,dataset\na.wav,real,sample\n")
    let both = try Dataset(joining: [first, part("two", "path,label,dataset\na.wav,fake,sample\n")])
    #expect(both.samples.map(\.dataset) == ["one", "two"])
    // Two lists of one set stay one set, whose people are the same people.
    let parts = try Dataset(joining: [first, part("three", "path,label,dataset\nb.wav,fake,sample\n")])
    #expect(parts.samples.map(\.dataset) == ["sample", "sample"])
  }

  @Test func `with one class is refused with a sentence`() throws {
    let data = try read("path,label\na.wav,real\nb.wav,real\n")
    let error = #expect(throws: DatasetError.self) { try data.requireTwoClasses() }
    #expect("\(error!)".contains("every usable sample has the label real (2 of them)"))
    let voices = try read("path,label,audio_label\na.mp4,real,real\nb.mp4,fake,real\n")
    try voices.requireTwoClasses()
    #expect(throws: DatasetError.self) { try voices.requireTwoClasses(for: .audio) }
    try voices.requireTwoClasses(for: .video)
  }
}

@Suite struct `data roots` {
  @Test func `a worker may have the data elsewhere`() throws {
    let (here, there) = (try TemporaryFolder(), try TemporaryFolder())
    let url = try here.write("manifest.csv", "path,label\nx/a.wav,real\n")
    let source = DataSource(name: "clips", path: url.path)
    let sample = try Dataset(reading: source).samples[0]
    #expect(try DataRoots([source]).file(sample, .audio)?.path == here.url.path + "/x/a.wav")
    let other = try DataRoots([source], overrides: ["clips": there.url.path])
    #expect(other.file(sample, .audio)?.path == there.url.path + "/x/a.wav" && other.file(sample, .video) == nil)
    #expect(throws: DatasetError.self) { try DataRoots([source], overrides: ["clisp": "/"]) }
    let nowhere = ["clips": "/no/such/folder"]
    #expect(throws: DatasetError.self) { try DataRoots([source], overrides: nowhere) }
    // Where files are fetched, the experiment's own path may be missing, but not one that was given.
    let missing = DataSource(name: "clips", path: "/no/such/manifest.csv")
    #expect(throws: DatasetError.self) { try DataRoots([missing]) }
    #expect(try DataRoots([missing], mayLack: true).file(sample, .audio) != nil)
    #expect(throws: DatasetError.self) { try DataRoots([missing], overrides: nowhere, mayLack: true) }
  }
}

@Suite struct `a folder tree` {
  @Test func `of real and fake gives labels, types and parts`() throws {
    let folder = try TemporaryFolder()
    for path in [
      "train/real/a.png", "train/fake/faceswap/x/b.png", "test/FAKE/c.jpg", "test/Real/deep/er/d.jpg", "notes/e.jpg",
      "real/readme.txt", "fake/.hidden.png", "fake/swap/real/f.png",
    ] { try folder.write(path) }
    let data = try Dataset(reading: DataSource(name: "tree", path: folder.url.path))
    #expect(
      data.samples.map(\.id) == [
        "fake/swap/real/f.png", "test/FAKE/c.jpg", "test/Real/deep/er/d.jpg", "train/fake/faceswap/x/b.png",
        "train/real/a.png",
      ])
    #expect(data.samples.map(\.label) == [.real, .fake, .real, .fake, .real])
    #expect(data.samples.map(\.type) == ["", "", "", "faceswap", ""])
    #expect(data.samples.map(\.split) == [nil, "test", "test", "train", "train"])
  }

  @Test func `without either is refused`() throws {
    let folder = try TemporaryFolder()
    try folder.write("pictures/a.png")
    let error = #expect(throws: DatasetError.self) {
      try Dataset(reading: DataSource(name: "tree", layout: "folders", path: folder.url.path))
    }
    #expect("\(error!)".contains("below a folder called real or fake"))
    #expect(throws: DatasetError.self) { try Dataset(reading: DataSource(name: "t", path: "/no/such")) }
    #expect(throws: DatasetError.self) {
      try Dataset(reading: DataSource(name: "t", layout: "foldrs", path: folder.url.path))
    }
  }
}
