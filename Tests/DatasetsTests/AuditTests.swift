import Foundation
import Testing

@testable import Datasets

/// A 16-bit mono WAV file of a tone, with digital silence before it.
func wave(seconds: Double, silence: Double = 0, level: Double = 0.3, pitch: Double = 440, rate: Int = 16_000) -> Data {
  let count = Int(seconds * Double(rate))
  var data = Data()
  func append<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) }
  }
  data.append(Data("RIFF".utf8))
  append(UInt32(36 + 2 * count))
  data.append(Data("WAVEfmt ".utf8))
  append(UInt32(16))
  append(UInt16(1))
  append(UInt16(1))
  append(UInt32(rate))
  append(UInt32(2 * rate))
  append(UInt16(2))
  append(UInt16(16))
  data.append(Data("data".utf8))
  append(UInt32(2 * count))
  for index in 0..<count {
    let time = Double(index) / Double(rate)
    append(Int16(time < silence ? 0 : level * 32767 * sin(2 * .pi * pitch * time)))
  }
  return data
}

@Suite struct `the shortcut audit` {
  @Test func `finds silence that only fakes begin with`() throws {
    let folder = try TemporaryFolder()
    var text = "path,label\n"
    for index in 0..<40 {
      let isFake = index % 2 == 1
      // Lengths and levels vary alike in both classes.
      let sound = wave(
        seconds: 0.5 + 0.01 * Double(index / 2), silence: isFake ? 0.05 : 0, level: 0.1 + 0.01 * Double(index / 2))
      try sound.write(to: folder.url.appendingPathComponent("\(index).wav"))
      text += "\(index).wav,\(isFake ? "fake" : "real")\n"
    }
    let source = DataSource(name: "d", path: try folder.write("manifest.csv", text).path)
    let roots = try DataRoots([source])
    let data = try Dataset(reading: source).scanned(roots)
    let audit = try ShortcutAudit(data, roots)
    #expect(audit.measured == 40 && audit.failures.isEmpty)
    let probes = Dictionary(uniqueKeysWithValues: audit.probes.map { ($0.name, $0) })
    #expect(
      probes["leading silence"]?.auc == 1 && probes["leading silence"]?.warning?.contains("larger in fakes") == true)
    #expect(probes["leading level"]?.auc == 0 && probes["leading level"]?.warning != nil)
    #expect(probes["duration"]?.auc == 0.5 && probes["duration"]?.warning == nil)
    #expect(probes["file size"]?.auc == 0.5 && probes["sample rate"]?.auc == 0.5)
    #expect(abs((probes["loudness"]?.auc ?? 0) - 0.5) < 0.1 && probes["resolution"] == nil)
    let silence = { (id: String) in audit.values[.leadingSilence]?[SampleKey(dataset: data.samples[0].dataset, id: id)]
    }
    #expect(silence("1.wav") == 0.05 && silence("0.wav") == 0)
    #expect(try ShortcutAudit(data, roots, limit: 5).measured == 10)
  }

  @Test func `measures level and silence of a sound`() {
    let tone = (0..<16_000).map { Float(0.5 * sin(2 * .pi * 1000 * Double($0) / 16_000)) }
    let found = SoundMeasures.of([Float](repeating: 0, count: 4_800) + tone, rate: 16_000)
    #expect(found.leadingSilence == 0.3 && found.leadingLevel == -120)
    // A sine of amplitude 0.5 has power 1/8; the silence dilutes it.
    #expect(abs(found.loudness - 10 * log10(0.125 * 16_000 / 20_800)) < 1e-3)
    #expect(SoundMeasures.of([0, 0], rate: 16_000).loudness == -120)
  }

  @Test func `says when chance may be the cause`() {
    let few = ShortcutProbe(
      name: "x", unit: "s", values: [1, 2, 3, 1, 4, 5], labels: [.real, .real, .real, .fake, .fake, .fake])
    #expect(few.mayBeChance && few.warning?.contains("may be chance") == true)
    let none = ShortcutProbe(name: "x", unit: "s", values: [1, 2], labels: [.real, .fake])
    #expect(none.auc == nil && none.warning == nil)
  }
}

@Suite struct `opening files` {
  @Test func `tells what they hold, whatever their names say`() throws {
    let folder = try TemporaryFolder()
    try wave(seconds: 0.2).write(to: folder.url.appendingPathComponent("sound.mp4"))
    try folder.write("junk.wav", "this is no sound")
    try wave(seconds: 0.3).write(to: folder.url.appendingPathComponent("voice.wav"))
    let url = try folder.write(
      "manifest.csv", "path,label,video\nsound.mp4,real,\njunk.wav,fake,\nvoice.wav,fake,sound.mp4\n")
    let source = DataSource(name: "d", path: url.path)
    let found = try Dataset(reading: source).scanned(DataRoots([source]))
    #expect(found.samples[0].modalities == .audio && found.samples[0].problem == nil)
    #expect(found.samples[1].problem != nil && found.samples[1].problem?.contains("junk") == false)
    #expect(found.samples[2].problem == "video stream: there is no video in it")
  }

  @Test func `verifying lists what is missing, extra and doubled`() throws {
    let folder = try TemporaryFolder()
    for name in ["a.wav", "b.wav", "c.wav"] {
      try wave(seconds: name == "c.wav" ? 0.2 : 0.1).write(to: folder.url.appendingPathComponent(name))
    }
    try folder.write("more/extra.png")
    try folder.write("empty.wav", "")
    let url = try folder.write(
      "manifest.csv", "path,label\na.wav,real\nb.wav,fake\nc.wav,fake\ngone.wav,fake\nempty.wav,real\n")
    let source = DataSource(name: "d", path: url.path)
    let roots = try DataRoots([source])
    let check = try FileCheck(try Dataset(reading: source).scanned(roots), root: roots.folder(of: "d"))
    #expect(check.listed == 5 && check.have == 3 && check.verdict == .faulty)
    #expect(
      check.missing.map(\.sample) == ["gone.wav"] && check.missing[0].line == 5
        && check.unreadable.map(\.sample) == ["empty.wav"])
    #expect(check.extra == ["more/extra.png"] && check.duplicates == [["a.wav", "b.wav"]])
    #expect(check.conflicts == check.duplicates)
  }
}
