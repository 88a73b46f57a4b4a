import Files
import Foundation
import Testing

@Suite struct `atomic write` {
  let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-files-\(UUID().uuidString)")

  @Test func `content takes its name whole and leaves no temporary file`() throws {
    let url = folder.appending(path: "a/b.txt")
    try writeAtomically("one", to: url)
    try writeAtomically("two", to: url)
    #expect(try String(decoding: readFile(url), as: UTF8.self) == "two")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "a").path) == ["b.txt"])
    try FileManager.default.removeItem(at: folder)
  }

  @Test func `an unfinished file is removed and the old one stays`() throws {
    let url = folder.appending(path: "b.txt")
    try writeAtomically("old", to: url)
    do {
      var file = try AtomicFile(url)
      try file.write(Array("new".utf8))
    }
    #expect(try String(decoding: readFile(url), as: UTF8.self) == "old")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["b.txt"])
    try FileManager.default.removeItem(at: folder)
  }

  @Test func `a full disk is named with what to do`() throws {
    let problem = #expect(throws: FileProblem.self) {
      var file = try AtomicFile(URL(filePath: "/dev/full/x"))
      try file.write([1])
    }
    #expect(problem?.path.hasPrefix("/dev/full") == true)
  }
}

@Suite struct `digests` {
  @Test func `SHA-256 agrees with FIPS 180-4`() throws {
    #expect(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    let url = FileManager.default.temporaryDirectory.appending(path: "unmask-sha-\(UUID().uuidString)")
    try writeAtomically("abc", to: url)
    #expect(try sha256(of: url) == sha256("abc"))
    try FileManager.default.removeItem(at: url)
  }
}

@Suite struct `csv` {
  func rows(_ text: String) throws -> [[String]] {
    var all: [[String]] = []
    try CSVReader(Array(text.utf8), name: "t.csv").forEachRow { all.append($1) }
    return all
  }

  @Test func `quotes, line breaks and empty fields survive a round trip`() throws {
    let table = [["a,b", "say \"x\"", ""], ["two\nlines", "", "c\r"]]
    var writer = CSVWriter(header: ["x", "y", "z"])
    table.forEach { writer.append($0) }
    #expect(try rows(writer.text) == table)
  }

  @Test func `windows line ends, a byte-order mark and a missing last line end are fine`() throws {
    #expect(try rows("\u{FEFF}a,b\r\n1,2\r\n\r\n3,4") == [["1", "2"], ["3", "4"]])
  }

  @Test(arguments: [("a,b\n1,2,3\n", "t.csv:2"), ("a\n\"x\n", "t.csv:2"), ("a,a\n", "t.csv"), ("", "t.csv")])
  func `a wrong table names its line`(text: String, place: String) {
    let problem = #expect(throws: FileProblem.self) { try rows(text) }
    #expect(problem?.path == place)
  }
}

@Suite struct `numbers in tables` {
  private func parse(_ text: String) -> Double? { Array(text.utf8).withUnsafeBufferPointer(parseNumber) }

  @Test func `are read to the last bit`() {
    var state: UInt64 = 9
    func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
    for _ in 0..<20_000 {
      let any = Double(bitPattern: next())
      let usual = Double(Int64(bitPattern: next())) * 0x1p-63
      for value in [any, usual, usual * 1e-5, (usual * 1e6).rounded() / 1e3] where !value.isNaN {
        #expect(parse("\(value)")?.bitPattern == value.bitPattern, "\(value)")
      }
    }
    // Midway between two doubles, and just beside.
    for text in [
      "9007199254740993", "9007199254740993.0000001", "9007199254740992.9999", "0.1", "-0.0", "+1e-7", "1E5",
      "123456789012345678",
      "9999999999999999999", "0.00000000000000000000000000123", "1.7976931348623157e308", "4.9e-324", ".5", "5.",
    ] {
      #expect(
        parse(text)?.bitPattern == Double(text.hasPrefix(".") ? "0" + text : text)?.bitPattern
          ?? parse(text)?.bitPattern, "\(text)")
    }
    #expect(parse("nan")?.isNaN == true && parse("-inf") == -.infinity)
  }

  @Test(arguments: ["", "-", "e5", "1e", "1e+", "abc", "1 ", " 1", "1,5", "--1", "1e5x", "0x"])
  func `of other text are none`(_ text: String) { #expect(parse(text) == nil) }

  @Test func `of fields know quotes, emptiness and whole numbers`() throws {
    let table = try CSVReader(Array("a,b,c\n\"x \"\"y\"\"\",-12,\n".utf8), name: "t")
    try table.forEachRecord { _, fields in
      #expect(fields[0] == "x \"y\"" && fields.equals(0, "x \"y\"") && !fields.equals(0, "x"))
      #expect(fields.integer(1) == -12 && fields.number(1) == -12 && fields.isEmpty(2) && fields.integer(2) == nil)
    }
  }
}

@Suite struct `nearest name` {
  let names = ["audio-cnn", "convnext-tiny", "r3d-18"]

  @Test(arguments: [
    ("audio-cn", "audio-cnn"), ("convnet-tiny", "convnext-tiny"), ("R3D18", "r3d-18"), ("dr3-18", "r3d-18"),
  ])
  func `is the one with the fewest edits`(written: String, meant: String) {
    #expect(suggestion(written, among: names) == "did you mean \"\(meant)\"?")
  }

  @Test func `is none where all are far`() {
    #expect(suggestion("xyz", among: names) == "valid are audio-cnn, convnext-tiny, r3d-18")
  }

  @Test func `are all that are equally near`() {
    #expect(suggestion("spoof1", among: ["spoof2", "spoof3", "other"]) == "did you mean \"spoof2\" or \"spoof3\"?")
    #expect(suggestion("cnn", among: names) == "did you mean \"audio-cnn\"?")
    #expect(nearest("spoof1", among: ["spoof3", "spoof2"]) == "spoof2")
  }

  @Test func `a number goes with its noun`() {
    #expect(counted(1, "fold") == "1 fold" && counted(0, "fold") == "0 folds")
    #expect(
      counted(1, "identity", "identities") == "1 identity" && counted(2, "identity", "identities") == "2 identities")
  }
}
