import Evaluation
import Files
import Testing

@Suite struct `score files` {
  let header = "sample,dataset,fold,part,label,type,model,score,logit,reason\n"

  private func read(_ text: String, _ mapping: ScoreFile.Mapping = .init()) throws -> [ScoreRow] {
    try ScoreFile.read(CSVReader(Array(text.utf8), name: "scores.csv"), name: "scores.csv", model: "scores", mapping)
  }

  @Test func `rows read back as they were written, to the last bit`() throws {
    let rows = [
      ScoreRow(
        sample: "a,b", dataset: "d", fold: 2, part: .validation, label: .fake, type: "face", model: "m",
        score: 0.1 + 0.2, logit: -1e-17),
      ScoreRow(
        sample: "c", dataset: "d", fold: 0, part: .test, label: .real, model: "m", score: nil, reason: "no \"sound\""),
    ]
    #expect(try read(ScoreFile.text(rows)) == rows)
    #expect(ScoreFile.text(rows).hasPrefix(header))
  }

  @Test func `another tool's columns, labels and polarity can be named`() throws {
    let mapping = ScoreFile.Mapping(names: ["score": "cm", "label": "key"], fakeLabel: "0", higherIsReal: true)
    let rows = try read("cm,key\n2.5,1.0\n-3,0.0\n", mapping)
    #expect(rows.map(\.score) == [-2.5, 3])
    #expect(rows.map(\.label) == [.real, .fake])
    #expect(rows.map(\.part) == [.test, .test] && rows.map(\.model) == ["scores", "scores"])
  }

  @Test(arguments: [
    ("x,d,0,test,real,,m,abc,,", "score \"abc\""), ("x,d,0,test,maybe,,m,0.5,,", "neither real nor fake"),
    ("x,d,one,test,real,,m,0.5,,", "fold \"one\""), ("x,d,0,train,real,,m,0.5,,", "part \"train\""),
    ("x,d,0,test,real,,m,nan,,", "score \"nan\""), ("x,d,0,test,real,,m,,,", "neither a score nor a reason"),
  ])
  func `a bad row is named with its line`(_ row: String, _ complaint: String) {
    #expect { try read(header + row + "\n") } throws: {
      "\($0)".contains("scores.csv:2") && "\($0)".contains(complaint)
    }
  }

  @Test func `a fake label that no row has is refused with those that are there`() {
    #expect { try read("label,score\nSpoof,1\nbonafide,0\n", .init(fakeLabel: "spoof")) } throws: {
      "\($0)".contains("no row has the label \"spoof\"") && "\($0)".contains("\"Spoof\", \"bonafide\"")
    }
  }

  @Test func `a sample tested twice and a file without test rows are refused`() throws {
    let twice = try read(header + "x,d,0,test,real,,m,0.5,,\nx,d,1,test,real,,m,0.5,,\n")
    #expect { try ScoreEvaluation(model: "m", rows: twice) } throws: { "\($0)".contains("d/x") }
    let none = try read(header + "x,d,0,validation,real,,m,0.5,,\n")
    #expect { try ScoreEvaluation(model: "m", rows: none) } throws: { "\($0)".contains("no test rows") }
  }

  @Test func `thresholds come from validation rows of the same fold and nothing else`() throws {
    var text = header
    for index in 0..<8 {
      let fake = index % 2 == 0
      text += "v\(index),d,0,validation,\(fake ? "fake" : "real"),,m,\(fake ? 0.9 : 0.7),,\n"
      text += "t\(index),d,0,test,\(fake ? "fake" : "real"),,m,\(fake ? 0.75 : 0.2),,\n"
    }
    let result = try ScoreEvaluation(model: "m", rows: read(text), rule: .youden)
    #expect(result.thresholds.map(\.chosenOn) == ["validation"])
    expect(result.thresholds[0].threshold, near: 0.8, "midway between validation's 0.7 and 0.9")
    #expect(result.pooled["recall"] == 0.0)
    #expect(result.pooled["auc"] == 1.0)
  }

  @Test func `kinds of fake are judged by type, whatever the model's own label says`() throws {
    var text = header
    for index in 0..<6 {
      text += "r\(index),d,0,test,real,,m,\(0.1 + Double(index) / 100),,\n"
      text += "f\(index),d,0,test,fake,face,m,0.9,,\n"
      text += "l\(index),d,0,test,real,lip-sync,m,\(0.1 + Double(index) / 100),,\n"
    }
    let kinds = try ScoreEvaluation(model: "m", rows: read(text)).kinds
    #expect(kinds.map(\.type) == ["face", "lip-sync"])
    #expect(kinds.map(\.auc) == [1.0, 0.5])
    #expect(kinds.map(\.reals) == [6, 6])
  }

  @Test func `comparisons pair samples by name, in any order, and adjust`() throws {
    var noise = SplitMix64(state: 8)
    var (a, b, c): ([ScoreRow], [ScoreRow], [ScoreRow]) = ([], [], [])
    for index in 0..<200 {
      let fake = index % 2 == 0
      let score = { (strength: Double) in
        sigmoid((fake ? strength : -strength) + Double.random(in: -2...2, using: &noise))
      }
      for (model, strength) in [("a", 1.5), ("b", 0.2)] {
        let row = ScoreRow(
          sample: "s\(index)", dataset: "d", fold: index / 2 % 4, part: .test, label: fake ? .fake : .real,
          model: model,
          score: score(strength))
        if model == "a" { a.append(row) } else { b.insert(row, at: 0) }
      }
      var copy = a[index]
      copy.model = "c"
      c.append(copy)
    }
    let result = try ScoreComparison(
      [("a", a), ("b", b), ("c", c)], bootstrap: Bootstrap(resamples: 200))
    #expect(result.pairs.map { "\($0.first)\($0.second)" } == ["ab", "ac", "bc"])
    let (ab, ac) = (result.pairs[0], result.pairs[1])
    #expect(ab.items == 200)
    #expect(ab.delong.p.value! < 1e-6 && ab.adjustedP! >= ab.delong.p.value!)
    #expect(ab.bootstrap!.lower > 0)
    #expect(ac.delong.p.value == nil && ac.adjustedP == nil && ac.mcNemarP == 1)
    #expect(ab.folds != nil && result.friedman != nil)
  }

  @Test func `labels are read by the field's words, and cells without the spaces around them`() throws {
    let rows = try read(
      "label,score\nbonafide,0.1\nSPOOF,0.9\n bona-fide , 0.2 \nfake,7e-1\n")
    #expect(rows.map(\.label) == [.real, .fake, .real, .fake] && rows.map(\.score) == [0.1, 0.9, 0.2, 0.7])
    #expect(throws: EvaluationError.self) { try read("label,score\n1,0.1\n") }
  }

  @Test(arguments: [
    ("a,fake,0.45\nb,real,0.2\n", "the first line, a,fake,0.45, is a row already; write a header line"),
    ("sample;label;score\n", "parted by semicolons; part them by commas"), ("label\tscore\n", "parted by tabs"),
    ("Label,score\nreal,1\n", "--column label=Label"),
    ("name,target,score\na,1,2\n", "say which it is with --column label=NAME"),
  ])
  func `a file without the columns says what to do`(_ text: String, _ words: String) {
    #expect { try read(text) } throws: { "\($0)".contains(words) }
  }

  @Test func `a number is a threshold without validation rows`() throws {
    let rows = try read("label,score\nreal,0.1\nreal,0.4\nfake,0.35\nfake,3\n")
    let found = try ScoreEvaluation(model: "m", rows: rows, rule: .fixed(0.3), bootstrap: nil)
    #expect(found.thresholds[0].threshold == 0.3 && found.thresholds[0].chosenOn == "given")
    #expect(found.confusion.falsePositives == 1 && found.confusion.truePositives == 2)
    #expect(!found.warnings.contains { $0.contains("no validation rows") })
  }
}
