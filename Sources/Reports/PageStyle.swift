import Evaluation
import Foundation

/// How the page looks.
enum PageStyle {
  static let css = """

    :root{--paper:#fbfbfa;--card:#fff;--ink:#20252c;--soft:#626b77;--line:#e2e5e9;--accent:#6d45a8;--warn:#b3372f;
    --good:#24784f;--heat:109,69,168;--shade:rgba(32,37,44,.22);color-scheme:light dark}
    @media (prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1b1f25;--ink:#e4e7eb;--soft:#9aa4b1;--line:#2d333b;
    --accent:#b596e6;--warn:#f08b80;--good:#6cc79a;--heat:150,112,208;--shade:rgba(0,0,0,.6)}}
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
    .scroll{overflow-x:auto;border:1px solid var(--line);border-radius:10px;background:
    linear-gradient(90deg,var(--card) 60%,transparent) 0 0/2.2rem 100% no-repeat local,
    linear-gradient(270deg,var(--card) 60%,transparent) 100% 0/2.2rem 100% no-repeat local,
    linear-gradient(90deg,var(--shade),transparent) 0 0/.8rem 100% no-repeat scroll,
    linear-gradient(270deg,var(--shade),transparent) 100% 0/.8rem 100% no-repeat scroll,var(--card)}
    .figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:0 1rem;align-items:start}
    table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
    th,td{padding:.42rem .6rem;text-align:left;white-space:nowrap;border-bottom:1px solid var(--line);vertical-align:top}
    tr:last-child td{border-bottom:0}th{color:var(--soft);font-weight:600;font-size:.8rem;vertical-align:bottom;white-space:normal}th.n{min-width:4.2rem}
    td.n,th.n{text-align:right}td small{display:block;color:var(--soft);font-size:.78rem;font-weight:400}
    tr.first td{border-top:2px solid var(--line)}
    th:first-child,td:first-child{position:sticky;left:0;background:var(--card)}
    td:first-child{max-width:14rem;white-space:normal;overflow-wrap:break-word}
    .undefined{color:var(--soft);font-style:italic}.wrap{display:inline-block;min-width:9rem;white-space:normal;overflow-wrap:break-word}
    .badge{display:inline-block;padding:0 .5em;border-radius:1em;font-size:.78rem;border:1px solid currentColor}
    .heat{display:block;margin:-.42rem -.6rem;padding:.42rem .6rem;background:rgba(var(--heat),calc(var(--h)*.55))}
    .heat small{color:inherit;opacity:.8}.heat.chance{color:var(--soft)}.unseen{text-decoration:underline dotted var(--soft);text-underline-offset:3px}
    .unseen small{text-decoration:none;display:block}
    .verdict{font-weight:600}.verdict.good{color:var(--good)}.verdict.moderate{color:#a66a00}.verdict.severe{color:var(--warn)}
    @media (prefers-color-scheme:dark){.verdict.moderate{color:#e0b050}}
    figure{margin:1.2rem 0 1.6rem;min-width:0}figure svg{display:block;width:100%;height:auto;margin:0 auto}figcaption{margin-top:.4rem}
    .cases{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr));gap:.8rem}
    .case{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.7rem;min-width:0;overflow-wrap:anywhere}
    .case b,.case span,.case small{display:block;font-size:.85rem}.case span,.case small{color:var(--soft);font-size:.8rem}
    .preview{display:block;max-width:100%;height:auto;border-radius:6px;margin-bottom:.4rem}
    code{font:.86em ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
    pre{margin:0;padding:.9rem 1rem;background:var(--card);border:1px solid var(--line);border-radius:10px;overflow-x:auto;
    font:.82rem/1.5 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
    details{margin:1rem 0}details>.scroll,details>pre{margin-top:.5rem}summary{cursor:pointer;color:var(--accent);margin-bottom:.5rem}
    @media (max-width:640px){main{padding:1.4rem .9rem 3rem}h1{font-size:1.6rem}.lead{font-size:1.08rem}
    .tiles{grid-template-columns:1fr 1fr}.tile b{font-size:1.35rem}
    td:first-child{max-width:38vw;min-width:26vw}th,td{padding:.4rem .5rem}.heat{margin:-.4rem -.5rem;padding:.4rem .5rem}}
    .phone{display:none}@media screen and (max-width:640px){.wide{display:none}.phone{display:block}}
    @media print{nav{display:none}.scroll{overflow:visible}section{break-inside:auto}}

    """

  /// A figure as part of the page: no background, the page's text colour, names of its own, its natural width at most and
  /// never too small to read.
  ///
  /// - Parameter suffix: what its names end with, where the page has the figure twice.
  static func inline(_ svg: String, _ figure: Figure, suffix: String = "") -> String {
    guard let start = svg.range(of: "<g id=\"gnuplot_canvas\">") else { return "" }
    var body = String(svg[start.lowerBound...])
    body = body.replacing(
      "<rect x=\"0\" y=\"0\" width=\"\(figure.width)\" height=\"\(figure.height)\" fill=\"#ffffff\"/>", with: "")
    let rgb = [0x3F, 0x46, 0x51]  // Figures.ink
    body = body.replacing("rgb(\(rgb[0]),\(rgb[1]),\(rgb[2]))", with: "var(--ink)")
    body = body.replacing("rgb( \(rgb[0]),  \(rgb[1]),  \(rgb[2]))", with: "var(--ink)")
    body = body.replacing("id='", with: "id='\(figure.name)\(suffix)-")
    body = body.replacing("'#gp", with: "'#\(figure.name)\(suffix)-gp")
    body = body.replacing("\"gnuplot_canvas\"", with: "\"\(figure.name)\(suffix)-canvas\"")
    body = body.replacing("font-family=\"DejaVu Sans\"", with: "font-family=\"DejaVu Sans,Verdana,sans-serif\"")
    return "<svg viewBox=\"0 0 \(figure.width) \(figure.height)\" xmlns=\"http://www.w3.org/2000/svg\" "
      + "xmlns:xlink=\"http://www.w3.org/1999/xlink\" role=\"img\" aria-label=\"\(escaped(figure.caption))\" "
      + "style=\"max-width:\(figure.width)px;\(figure.width > 700 ? "min-width:600px" : "")\">" + body
  }
}
