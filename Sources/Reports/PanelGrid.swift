/// Panels of one size in rows, as gnuplot's multiplot places them.
struct PanelGrid {
  /// Panels side by side, and rows of them.
  let columns, rows: Int
  private let count: Int
  /// What one panel takes, its labels and title included, and what the figure has beside all of them.
  private let panel: (width: Int, height: Int)
  private let around: (width: Int, height: Int)

  /// A grid with at most so many columns.
  ///
  /// - Units: points of the figure.
  init(
    _ count: Int, columns: Int = 3, panel: (width: Int, height: Int), around: (width: Int, height: Int)
  ) {
    (self.count, self.columns, self.panel, self.around) = (count, min(count, columns), panel, around)
    rows = (count + self.columns - 1) / self.columns
  }

  var width: Int { panel.width * columns + around.width }
  var height: Int { panel.height * rows + around.height }

  /// Whether a panel has none below it, and whether it is the first of its row.
  func isLowest(_ index: Int) -> Bool { index + columns >= count }
  func isLeftmost(_ index: Int) -> Bool { index % columns == 0 }

  /// The command that begins the panels.
  ///
  /// - Parameters:
  ///   - margins: what lies around all panels, in points.
  ///   - spacing: what lies between two, in points.
  func multiplot(
    margins: (left: Double, right: Double, bottom: Double, top: Double), spacing: (x: Double, y: Double)
  ) -> String {
    let (w, h) = (Double(width), Double(height))
    let sides = [margins.left / w, 1 - margins.right / w, margins.bottom / h, 1 - margins.top / h]
    return "set multiplot layout \(rows),\(columns) margins \(sides.map { number($0, 3) }.joined(separator: ",")) "
      + "spacing \(number(spacing.x / w, 3)),\(number(spacing.y / h, 3))"
  }
}
