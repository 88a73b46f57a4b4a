import Evaluation
import Foundation
import Testing

@Suite struct `t-SNE` {
  @Test(arguments: Case.load("tsne"))
  func `keeps neighbours together as well as scikit-learn`(_ c: Case) {
    let (rows, cluster) = (c["x"].table, c["cluster"].ints)
    let found = TSNE(rows, perplexity: c["perplexity"].number)
    #expect(found.divergence < c.expected["bound_on_kl"].number && found.divergence > 0.2)
    let near = neighbours(found.points, 5)
    let same = near.indices.flatMap { i in near[i].map { cluster[$0] == cluster[i] } }
    #expect(Double(same.count { $0 }) / Double(same.count) >= c.expected["bound_same_cluster_share"].number)
    #expect(trustworthiness(rows, near, 5) >= c.expected["bound_trustworthiness_5"].number)
  }

  @Test func `gives the same picture for the same seed, and survives equal rows`() {
    let rows = (0..<20).map { [Double($0 % 5), Double($0 % 3)] }
    let (a, b) = (TSNE(rows, perplexity: 4, iterations: 50), TSNE(rows, perplexity: 4, iterations: 50))
    #expect(a.points == b.points)
    #expect(a.points.allSatisfy { $0.allSatisfy(\.isFinite) } && a.divergence.isFinite)
  }

  private func ranks(_ rows: [[Double]], _ i: Int) -> [Int] {
    let distances = rows.map { zip($0, rows[i]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
    return rows.indices.filter { $0 != i }.sorted { distances[$0] < distances[$1] }
  }

  private func neighbours(_ rows: [[Double]], _ k: Int) -> [[Int]] {
    rows.indices.map { Array(ranks(rows, $0).prefix(k)) }
  }

  private func trustworthiness(_ rows: [[Double]], _ near: [[Int]], _ k: Int) -> Double {
    let n = rows.count
    var penalty = 0
    for i in rows.indices {
      for (rank, j) in ranks(rows, i).enumerated() where near[i].contains(j) { penalty += max(0, rank + 1 - k) }
    }
    return 1 - 2 * Double(penalty) / Double(n * k * (2 * n - 3 * k - 1))
  }
}
