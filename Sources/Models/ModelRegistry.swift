/// Every architecture that an experiment can name. To add one: a file beside the others, and its line here.
public enum ModelRegistry {
  /// All entries, image, audio, then video.
  public static let all: [Architecture] = [
    ConvNeXt.atto,
    ThumbnailLogistic.entry,
    AudioCNN.entry,
    MFCCLogistic.entry,
    TemporalDifference.entry,
  ]

  /// The entry of that name.
  ///
  /// - Throws: `ModelError` naming the nearest one.
  public static func find(_ name: String) throws -> Architecture {
    if let entry = all.first(where: { $0.name == name }) { return entry }
    let nearest = all.map(\.name).min { distance($0, name) < distance($1, name) }!
    throw ModelError(
      "no architecture is called \"\(name)\"; the nearest is \"\(nearest)\", `unmask models list` shows all")
  }

  /// Single-character edits between two names.
  private static func distance(_ a: String, _ b: String) -> Int {
    var row = Array(0...b.utf8.count)
    for (i, x) in a.utf8.enumerated() {
      var corner = row[0]
      row[0] = i + 1
      for (j, y) in b.utf8.enumerated() {
        let replaced = corner + (x == y ? 0 : 1)
        corner = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, corner + 1)
      }
    }
    return row.last!
  }
}
