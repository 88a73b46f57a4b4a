import Evaluation
import Foundation

/// How the page looks, and the small formats that it is made of.
enum PageStyle {
  static let css = """

    :root{--paper:#fbfbfa;--card:#fff;--ink:#20252c;--soft:#626b77;--line:#e2e5e9;--accent:#6d45a8;--warn:#b3372f;
    --good:#24784f;--heat:109,69,168;color-scheme:light dark}
    @media (prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1b1f25;--ink:#e4e7eb;--soft:#9aa4b1;--line:#2d333b;
    --accent:#b596e6;--warn:#f08b80;--good:#6cc79a;--heat:150,112,208}}
    *{box-sizing:border-box}html{-webkit-text-size-adjust:100%}
    body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
    "Noto Sans","DejaVu Sans",sans-serif}
    main{max-width:1180px;margin:0 auto;padding:2.2rem 1.25rem 4rem}
    .kicker{margin:0;color:var(--accent);font-weight:600;font-size:.8rem;letter-spacing:.08em;text-transform:uppercase}
    h1{margin:.1rem 0 .3rem;font-size:2rem;line-height:1.2;overflow-wrap:anywhere}
    h2{margin:3rem 0 .8rem;font-size:1.35rem;line-height:1.25}h3{margin:1.7rem 0 .5rem;font-size:1.02rem}
    .facts{margin:0;color:var(--soft)}.facts span:not(:last-child)::after{content:" · "}
    nav{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:1.1rem 0 1.4rem;padding:.6rem 0;border:solid var(--line);
    border-width:1px 0;font-size:.9rem}
    a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
    .lead{font-size:1.2rem;line-height:1.5;margin:.4rem 0 .8rem}.note,figcaption{color:var(--soft);font-size:.87rem}
    .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:.8rem;margin:1.3rem 0}
    .tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.85rem 1rem}
    .tile b{display:block;font-size:1.65rem;line-height:1.2;font-variant-numeric:tabular-nums}
    .tile.bad b,.warn{color:var(--warn)}.tile span{display:block;font-size:.9rem}
    .tile small{color:var(--soft)}
    .remarks{margin:1rem 0;padding:.8rem 1rem .8rem 2rem;background:var(--card);border:1px solid var(--line);
    border-left:3px solid var(--accent);border-radius:6px}.remarks li{margin:.2rem 0}
    .scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}
    table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
    th,td{padding:.42rem .6rem;text-align:left;white-space:nowrap;border-bottom:1px solid var(--line);vertical-align:top}
    tr:last-child td{border-bottom:0}th{color:var(--soft);font-weight:600;font-size:.8rem;vertical-align:bottom;white-space:normal}th.n{min-width:4.2rem}
    td.n,th.n{text-align:right}td small{display:block;color:var(--soft);font-size:.78rem;font-weight:400}
    tr.first td{border-top:2px solid var(--line)}
    th:first-child,td:first-child{position:sticky;left:0;background:var(--card)}
    td:first-child{max-width:14rem;white-space:normal;overflow-wrap:anywhere}
    .undefined{color:var(--soft);font-style:italic}.wrap{white-space:normal;overflow-wrap:anywhere}
    .badge{display:inline-block;padding:0 .5em;border-radius:1em;font-size:.78rem;border:1px solid currentColor}
    .heat{display:block;margin:-.42rem -.6rem;padding:.42rem .6rem;background:rgba(var(--heat),calc(var(--h)*.55))}
    .heat small{color:inherit;opacity:.8}.heat.chance{color:var(--soft)}.unseen{text-decoration:underline dotted var(--soft);text-underline-offset:3px}
    .unseen small{text-decoration:none;display:block}
    .verdict{font-weight:600}.verdict.good{color:var(--good)}.verdict.moderate{color:#a66a00}.verdict.severe{color:var(--warn)}
    @media (prefers-color-scheme:dark){.verdict.moderate{color:#e0b050}}
    figure{margin:0 0 2rem}figure svg{display:block;width:100%;height:auto;margin:0 auto}figcaption{margin-top:.4rem}
    .cases{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr));gap:.8rem}
    .case{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.7rem;min-width:0;overflow-wrap:anywhere}
    .case b,.case span,.case small{display:block;font-size:.85rem}.case span,.case small{color:var(--soft);font-size:.8rem}
    .preview{display:block;max-width:100%;height:auto;border-radius:6px;margin-bottom:.4rem}
    code{font:.86em ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
    pre{margin:0;padding:.9rem 1rem;background:var(--card);border:1px solid var(--line);border-radius:10px;overflow-x:auto;
    font:.82rem/1.5 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
    details{margin:1rem 0}summary{cursor:pointer;color:var(--accent);margin-bottom:.5rem}
    @media (max-width:640px){main{padding:1.4rem .9rem 3rem}h1{font-size:1.6rem}.lead{font-size:1.08rem}
    .tiles{grid-template-columns:1fr 1fr}.tile b{font-size:1.35rem}
    td:first-child{max-width:38vw;min-width:26vw}th,td{padding:.4rem .5rem}.heat{margin:-.4rem -.5rem;padding:.4rem .5rem}}
    @media print{nav{display:none}.scroll{overflow:visible}section{break-inside:auto}}

    """

  /// A figure as part of the page: no background, the page's text colour, names of its own, its natural width at most and
  /// never too small to read.
  static func inline(_ svg: String, _ figure: Figure) -> String {
    guard let start = svg.range(of: "<g id=\"gnuplot_canvas\">") else { return "" }
    var body = String(svg[start.lowerBound...])
    body = body.replacing(
      "<rect x=\"0\" y=\"0\" width=\"\(figure.width)\" height=\"\(figure.height)\" fill=\"#ffffff\"/>", with: "")
    let rgb = [0x3F, 0x46, 0x51]  // Figures.ink
    body = body.replacing("rgb(\(rgb[0]),\(rgb[1]),\(rgb[2]))", with: "var(--ink)")
    body = body.replacing("rgb( \(rgb[0]),  \(rgb[1]),  \(rgb[2]))", with: "var(--ink)")
    body = body.replacing("id='", with: "id='\(figure.name)-").replacing("'#gp", with: "'#\(figure.name)-gp")
    body = body.replacing("\"gnuplot_canvas\"", with: "\"\(figure.name)-canvas\"")
    body = body.replacing("font-family=\"DejaVu Sans\"", with: "font-family=\"DejaVu Sans,Verdana,sans-serif\"")
    return "<svg viewBox=\"0 0 \(figure.width) \(figure.height)\" xmlns=\"http://www.w3.org/2000/svg\" "
      + "xmlns:xlink=\"http://www.w3.org/1999/xlink\" role=\"img\" aria-label=\"\(escaped(figure.caption))\" "
      + "style=\"max-width:\(figure.width)px;min-width:\(min(figure.width, 560))px\">" + body
  }
}

/// A table of the page. A column is set to the right when its cells are numbers.
struct HTMLTable {
  private let header: [String]
  private var rows: [(cells: [String], group: String)] = []

  /// Starts with titles, which are text.
  init(_ header: [String]) { self.header = header }

  /// Adds a row of HTML cells; a line is drawn where the group changes.
  mutating func append(_ cells: [String], group: String = "") {
    precondition(cells.count == header.count, "HTMLTable: \(cells.count) cells under \(header.count) columns")
    rows.append((cells, group))
  }

  func orNone(_ sentence: String) -> String { rows.isEmpty ? "<p>\(sentence)</p>" : html }

  var html: String {
    let numeric = header.indices.map { column in
      !rows.isEmpty
        && rows.allSatisfy { row in
          let text = row.cells[column].replacing(/<[^>]*>/, with: "")
          return text.first.map { "0123456789+-–−[".contains($0) } ?? true || row.cells[column].contains("undefined")
        }
    }
    let attribute = { (column: Int) in numeric[column] ? " class=\"n\"" : "" }
    let head =
      header.allSatisfy(\.isEmpty)
      ? ""
      : "<thead><tr>" + header.indices.map { "<th\(attribute($0))>\(escaped(header[$0]))</th>" }.joined()
        + "</tr></thead>"
    var body = ""
    var group = rows.first?.group
    for row in rows {
      body += row.group == group ? "<tr>" : "<tr class=\"first\">"
      group = row.group
      body += row.cells.indices.map { "<td\(attribute($0))>\(row.cells[$0])</td>" }.joined() + "</tr>\n"
    }
    return "<div class=\"scroll\"><table>\(head)<tbody>\(body)</tbody></table></div>\n"
  }
}

func escaped(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    .replacing("\"", with: "&quot;")
}

func bracket(_ interval: Interval) -> String { "[\(number(interval.lower)), \(number(interval.upper))]" }
func range(_ interval: Interval?) -> String { interval.map { " " + bracket($0) } ?? "" }
func area(_ measure: Measure) -> String { measure.value.map { number($0) } ?? undefined(measure) }
func signed(_ value: Double) -> String { (value < 0 ? "−" : "+") + number(abs(value)) }

func undefined(_ measure: Measure) -> String {
  "<span class=\"undefined\" title=\"\(escaped(measure.reason ?? ""))\">undefined</span>"
}

func spread(_ spread: Spread) -> String {
  guard let mean = spread.mean.value else { return undefined(spread.mean) }
  return number(mean) + (spread.deviation.value.map { "<small>± \(number($0))</small>" } ?? "")
}

func badge(_ entry: RunAnalysis.Entry) -> String {
  "<span class=\"badge\" style=\"color:\(Figures.colour(entry))\">\(escaped(entry.modality))</span>"
}

/// `p = 0.012`, `p < 0.001`.
func probability(_ value: Double?, bare: Bool = false) -> String {
  guard let value else { return bare ? "–" : "p undefined" }
  let text = value < 0.001 ? "< 0.001" : (bare ? "" : "= ") + number(value)
  return bare ? (value < 0.001 ? "&lt; 0.001" : text) : "p \(value < 0.001 ? "&lt; 0.001" : text)"
}

/// Digits in groups of three.
func grouped(_ value: Int) -> String {
  let digits = String(abs(value))
  var text = ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index) % 3 == 0 { text += "\u{202F}" }
    text.append(digit)
  }
  return (value < 0 ? "−" : "") + text
}
