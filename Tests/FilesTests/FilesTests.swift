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
