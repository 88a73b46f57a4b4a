@testable import Evaluation
import Foundation
import Testing

/// Every case under `stats/` against scikit-learn's, SciPy's and statsmodels' values, to the tolerance that its file states.
@Suite struct `reference cases` {
  @Test(arguments: Case.load("binary_scores"))
  func `ranking metrics, curves and thresholds agree`(_ c: Case) {
    guard !c["probabilities"].exists else { return oneVersusRest(c) }
    let (expected, fake) = (c.expected, c["labels"].ints.map { $0 == 1 })
    let ranked = RankedScores(scores: c["scores"].numbers, fake: fake)
    expect(ranked.areaUnderCurve.value, near: expected["roc_auc"].number, "AUC")
    expect(ranked.averagePrecision.value, near: expected["average_precision"].number, "AP")
    expect(ranked.precisionRecallArea.value, near: expected["pr_auc_trapezoid"].number, "PR area")
    expect(ranked.interpolatedEqualErrorRate?.rate, near: expected["eer"].number, "EER")
    expect(ranked.nearestEqualErrorRate?.rate, near: expected["eer_nearest_point"].number, "nearest EER")
    for (name, curve) in [
      ("roc_curve", ranked.curve), ("roc_curve_without_collinear_points", ranked.sparseCurve),
    ] {
      expect(curve?.thresholds ?? [], near: expected[name]["thresholds"].numbers, "\(name) thresholds")
      expect(curve?.falsePositiveRate ?? [], near: expected[name]["fpr"].numbers, "\(name) FPR")
      expect(curve?.truePositiveRate ?? [], near: expected[name]["tpr"].numbers, "\(name) TPR")
    }
    let pr = ranked.precisionRecall
    expect(pr?.precision ?? [], near: expected["precision_recall_curve"]["precision"].numbers, "precision")
    expect(pr?.recall ?? [], near: expected["precision_recall_curve"]["recall"].numbers, "recall")
    expect(pr?.thresholds ?? [], near: expected["precision_recall_curve"]["thresholds"].numbers, "PR thresholds")
    for (name, rule) in [("best_f1", ThresholdRule.f1), ("best_youden_j", .youden)] {
      let choice = ranked.threshold(by: rule)
      expect(choice?.value, near: expected[name]["value"].number, name)
      #expect(expected[name]["all_maximising_thresholds"].numbers.contains(choice?.threshold ?? .nan))
      if choice?.threshold == expected[name]["threshold"].number {
        #expect((choice?.nextLower ?? -.infinity) == expected[name]["next_lower_score"].number)
      }
      // The operating point decides as the threshold does.
      let point = choice?.operatingPoint ?? .nan
      #expect(ranked.confusion(at: point) == ranked.confusion(at: choice?.threshold ?? .nan))
    }
  }

  private func oneVersusRest(_ c: Case) {
    let (labels, rows) = (c["labels"].ints, c["probabilities"].table)
    let ranked = rows[0].indices.map { k in
      RankedScores(scores: rows.map { $0[k] }, fake: labels.map { $0 == k })
    }
    let areas = ranked.map { $0.areaUnderCurve.value ?? .nan }
    let weights = rows[0].indices.map { k in Double(labels.count { $0 == k }) / Double(labels.count) }
    expect(areas, near: c.expected["roc_auc_per_class"].numbers, "AUC per class")
    expect(
      ranked.map { $0.averagePrecision.value ?? .nan }, near: c.expected["average_precision_per_class"].numbers,
      "AP per class")
    expect(areas.reduce(0, +) / Double(areas.count), near: c.expected["roc_auc_ovr_macro"].number, "macro")
    expect(
      zip(areas, weights).reduce(0) { $0 + $1.0 * $1.1 }, near: c.expected["roc_auc_ovr_weighted"].number, "weighted")
  }

  @Test(arguments: Case.load("classification"))
  func `confusion matrices and what follows from them agree`(_ c: Case) {
    let matrix = ConfusionMatrix(
      classes: c["classes"].int, labels: c["labels"].ints, predictions: c["predictions"].ints)
    let expected = c.expected
    #expect(matrix.counts == expected["confusion_matrix"].items.map(\.ints))
    expect(matrix.accuracy.value, near: expected["accuracy"].number, "accuracy")
    expect(matrix.balancedAccuracy.value, near: expected["balanced_accuracy"].number, "balanced accuracy")
    expect(matrix.matthewsCorrelation.value ?? 0, near: expected["mcc"].number, "MCC, 0 where undefined")
    expect(matrix.kappa.value ?? .nan, near: expected["cohen_kappa"].number, "kappa")
    let measures: [(String, (Int) -> Measure)] = [
      ("precision", { matrix.precision($0) }), ("recall", { matrix.recall($0) }), ("f1", { matrix.f1($0) }),
    ]
    for (name, measure) in measures {
      expect(matrix.average(.macro, of: measure), near: expected["macro"][name].number, "macro \(name)")
      expect(matrix.average(.weighted, of: measure), near: expected["weighted"][name].number, "weighted \(name)")
      expect(matrix.accuracy.value, near: expected["micro"][name].number, "micro \(name) is the accuracy")
      let values = (0..<matrix.classes).map { measure($0).value ?? 0 }
      expect(values, near: expected["per_class"][name].numbers, "\(name) per class")
      if matrix.classes == 2 {
        expect(values[1], near: expected["binary_positive_1"][name].number, "\(name) of class 1")
      }
    }
    #expect(matrix.support == expected["per_class"]["support"].ints)
  }

  @Test(arguments: Case.load("probabilities"))
  func `calibration measures agree`(_ c: Case) {
    let (labels, expected) = (c["labels"].ints, c.expected)
    let reliability: Calibration.Reliability?
    let table: JSON
    if expected["ece_positive_15_bins"].exists {
      let (p, fake) = (c["probabilities"].numbers, labels.map { $0 == 1 })
      expect(Calibration.logLoss(p, fake: fake).value, near: expected["log_loss"].number, "log loss")
      expect(Calibration.brier(p, fake: fake).value, near: expected["brier"].number, "Brier")
      reliability = Calibration.reliability(p, right: fake)
      table = expected["ece_positive_15_bins"]
    } else {
      let rows = c["probabilities"].table
      expect(Calibration.logLoss(rows, labels: labels).value, near: expected["log_loss"].number, "log loss")
      expect(Calibration.brier(rows, labels: labels).value, near: expected["brier_sum_over_classes"].number, "Brier")
      let best = rows.map { row in row.firstIndex(of: row.max()!)! }
      reliability = Calibration.reliability(
        zip(rows, best).map { $0[$1] }, right: zip(best, labels).map { $0 == $1 })
      table = expected["ece_top_label_15_bins"]
    }
    expect(reliability?.expected, near: table["ece"].number, "ECE")
    expect(reliability?.maximum, near: table["mce"].number, "MCE")
    let bins = reliability?.bins.flatMap { [Double($0.index), Double($0.count), $0.confidence, $0.accuracy] }
    expect(bins ?? [], near: table["bins_index_count_confidence_accuracy"].table.flatMap(\.self), "bins")
  }

  @Test(arguments: Case.load("delong"))
  func `DeLong's variances and tests agree`(_ c: Case) throws {
    let delong = try #require(DeLong(scores: c["scores"].table, fake: c["labels"].ints.map { $0 == 1 }))
    expect(delong.areas, near: c.expected["auc"].numbers, absolute: 0, relative: 1e-8, "AUC")
    expect(
      delong.covariance.flatMap(\.self), near: c.expected["covariance"].table.flatMap(\.self), absolute: 0,
      relative: 1e-8, "covariance")
    for (model, ends) in c.expected["ci95_normal"].table.enumerated() {
      let interval = delong.interval(model)
      // The reference does not cut the interval to [0, 1].
      expect(interval.lower, near: max(0, ends[0]), absolute: 0, relative: 1e-8, "lower")
      expect(interval.upper, near: min(1, ends[1]), absolute: 0, relative: 1e-8, "upper")
    }
    for pair in c.expected["pairs"].items {
      let test = delong.compare(pair["models"].ints[0], pair["models"].ints[1])
      expect(test.difference, near: pair["difference"].number, absolute: 1e-15, relative: 1e-8, "difference")
      expect(test.variance, near: pair["variance"].number, absolute: 0, relative: 1e-8, "variance")
      expect(test.z.value, near: pair["z"].number, absolute: 1e-12, relative: 1e-8, "z")
      expect(test.p.value, near: pair["p_two_sided"].number, absolute: 1e-9, "p")
    }
  }

  @Test(arguments: Case.load("tests"))
  func `significance tests agree`(_ c: Case) throws {
    switch c["test"].text {
    case "mcnemar": mcNemar(c)
    case "wilcoxon_signed_rank": try wilcoxon(c)
    case "paired_t":
      let test = try #require(PairedT(differences: zip(c["first"].numbers, c["second"].numbers).map { $0 - $1 }))
      expect(test.t.value, near: c.expected["t"].number, absolute: 0, relative: 1e-8, "t")
      #expect(test.degrees == c.expected["df"].int)
      expect(test.p.value, near: c.expected["p_two_sided"].number, absolute: 0, relative: 1e-6, "p")
      expect(
        [test.interval.lower, test.interval.upper], near: c.expected["ci95_of_mean_difference"].numbers,
        absolute: 0, relative: 1e-8, "interval")
    case "nadeau_bengio":
      let test = try #require(
        PairedT(differences: c["differences"].numbers, train: c["n_train"].number, test: c["n_test"].number))
      expect(test.t.value, near: c.expected["t"].number, absolute: 0, relative: 1e-8, "t")
      #expect(test.degrees == c.expected["df"].int)
      expect(test.p.value, near: c.expected["p"].number, absolute: 0, relative: 1e-6, "p")
      expect(
        PairedT(differences: c["differences"].numbers)?.t.value, near: c.expected["uncorrected_t"].number, absolute: 0,
        relative: 1e-8, "plain t")
    case "friedman_nemenyi": try friedman(c)
    case "holm":
      let adjusted = holm(c["p_values"].numbers)
      expect(adjusted, near: c.expected["adjusted"].numbers, absolute: 1e-15, relative: 1e-8, "adjusted")
      #expect(adjusted.map { $0 <= 0.05 } == c.expected["rejected_at_0.05"].items.map(\.flag))
    default: Issue.record("no test is called \(c["test"].text)")
    }
  }

  private func mcNemar(_ c: Case) {
    var test = McNemar(onlyFirst: c["only_first_correct"].int, onlySecond: c["only_second_correct"].int)
    if c["labels"].exists {
      let counted = McNemar(labels: c["labels"].ints, first: c["first"].ints, second: c["second"].ints)
      #expect(counted == test)
      test = counted
    }
    expect(test.exactP, near: c.expected["exact_p"].number, absolute: 0, relative: 1e-6, "exact p")
    for (corrected, name) in [(false, "chi2"), (true, "chi2_corrected")] {
      expect(
        test.chiSquared(corrected: corrected), near: c.expected[name].number, absolute: 0, relative: 1e-8, name)
      expect(
        test.chiSquaredP(corrected: corrected), near: c.expected["\(name)_p"].number, absolute: 0, relative: 1e-6,
        "\(name) p")
    }
  }

  private func wilcoxon(_ c: Case) throws {
    let zeros = try #require(WilcoxonSignedRank.Zeros(rawValue: c["zero_method"].text))
    let alternative = try #require(Alternative(rawValue: c["alternative"].text))
    let test = try #require(
      WilcoxonSignedRank(
        differences: c["differences"].numbers, method: WilcoxonSignedRank.Method(rawValue: c["method"].text),
        zeros: zeros, continuityCorrection: c["continuity_correction"].flag, alternative: alternative))
    expect(test.statistic, near: c.expected["statistic"].number, absolute: 0, relative: 1e-8, "statistic")
    expect(test.p, near: c.expected["p"].number, absolute: 0, relative: 1e-6, "p")
    if c.expected["rank_sum_positive"].exists {
      #expect(test.positiveSum == c.expected["rank_sum_positive"].number)
      #expect(test.negativeSum == c.expected["rank_sum_negative"].number)
    }
  }

  private func friedman(_ c: Case) throws {
    let (test, expected) = (try #require(Friedman(c["scores"].table)), c.expected)
    expect(test.averageRanks, near: expected["average_ranks"].numbers, absolute: 0, relative: 1e-8, "ranks")
    expect(
      test.chiSquaredUncorrected, near: expected["chi2_uncorrected"].number, absolute: 0, relative: 1e-8, "plain chi2")
    expect(test.chiSquared.value, near: expected["chi2"].number, absolute: 0, relative: 1e-8, "chi2")
    expect(test.p.value, near: expected["p"].number, absolute: 0, relative: 1e-6, "p")
    expect(test.imanDavenport.value, near: expected["iman_davenport_F"].number, absolute: 0, relative: 1e-8, "F")
    expect(test.imanDavenportP.value, near: expected["iman_davenport_p"].number, absolute: 0, relative: 1e-6, "F's p")
    expect(test.criticalFactor(), near: expected["nemenyi_q"].number, absolute: 0, relative: 1e-4, "q")
    expect(
      test.criticalDifference(), near: expected["critical_difference"].number, absolute: 0, relative: 1e-4, "CD")
    expect(
      test.criticalDifference(alpha: 0.1), near: expected["critical_difference_alpha_0.10"].number, absolute: 0,
      relative: 1e-4, "CD at 0.10")
    for pair in expected["nemenyi_pairwise_p"].keys {
      let models = pair.split(separator: "-").compactMap { Int($0) }
      expect(
        test.nemenyiP(models[0], models[1]), near: expected["nemenyi_pairwise_p"][pair].number, absolute: 0,
        relative: 1e-4, "Nemenyi p of \(pair)")
    }
  }

  @Test(arguments: Case.load("bootstrap"))
  func `bootstrap intervals are as near as resampling allows`(_ c: Case) throws {
    let values = c["values"].exists ? c["values"].numbers : c["scores"].numbers
    let fake = c["labels"].ints.map { $0 == 1 }
    func interval(confidence: Double, seed: UInt64) -> Interval? {
      let bootstrap = Bootstrap(resamples: 2000, confidence: confidence, seed: seed)
      switch c["statistic"].text {
      case "mean":
        return bootstrap.interval(count: values.count) { times in
          values.indices.reduce(0.0) { $0 + Double(times[$1]) * values[$1] } / Double(values.count)
        }
      case "median":
        return bootstrap.interval(count: values.count) { times in
          let drawn = values.indices.flatMap { Array(repeating: values[$0], count: Int(times[$0])) }.sorted()
          return (drawn[(drawn.count - 1) / 2] + drawn[drawn.count / 2]) / 2
        }
      default: return bootstrap.areaUnderCurve(scores: values, fake: fake)
      }
    }
    let found = try #require(interval(confidence: c["confidence"].number, seed: 3))
    let allowed = c.expected["allowed_absolute_difference_with_2000_resamples"].number
    expect(found.lower, near: c.expected["lower_about"].number, absolute: allowed, "lower")
    expect(found.upper, near: c.expected["upper_about"].number, absolute: allowed, "upper")
    #expect(interval(confidence: c["confidence"].number, seed: 3) == found)
    let wider = try #require(interval(confidence: 0.99, seed: 3))
    #expect(wider.lower <= found.lower && wider.upper >= found.upper)
  }

  @Test(arguments: Case.load("preprocessing"))
  func `class weights and scaling agree`(_ c: Case) {
    if c["labels"].exists {
      let labels = c["labels"].ints
      let weights = ClassWeights.balanced(labels: labels, classes: labels.max()! + 1)
      expect(weights, near: c.expected["class_weights"].numbers, absolute: 1e-10, "weights")
      expect(labels.map { weights[$0] }, near: c.expected["sample_weights"].numbers, absolute: 1e-10, "of samples")
    } else {
      let scaler = StandardScaler(fitting: c["fit"].table)
      expect(scaler.mean, near: c.expected["mean"].numbers, absolute: 1e-10, "mean")
      expect(scaler.variance, near: c.expected["variance"].numbers, absolute: 1e-10, "variance")
      expect(scaler.scale, near: c.expected["scale"].numbers, absolute: 1e-10, "scale")
      for (rows, name) in [("fit", "fit_transformed"), ("apply", "applied")] {
        expect(
          c[rows].table.flatMap(scaler.apply), near: c.expected[name].table.flatMap(\.self), absolute: 1e-10, name)
      }
    }
  }

  @Test(arguments: Case.load("logistic_regression"))
  func `logistic regression reaches the unique optimum`(_ c: Case) throws {
    let labels = c["y"].ints
    let model = try LogisticRegression(
      rows: c["x"].table, labels: labels, classes: labels.max()! + 1, inverseStrength: c["C"].number,
      balanced: c["class_weight"].text == "balanced")
    let binary = c.expected["intercept"].exists
    let expected =
      binary
      ? c.expected["coefficients"].numbers + [c.expected["intercept"].number]
      : c.expected["coefficients"].table.flatMap(\.self) + c.expected["intercept_centred"].numbers
    let found = model.coefficients.flatMap(\.self) + model.intercepts
    let error = zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    let norm = expected.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(found.count == expected.count)
    #expect(error <= 1e-4 * norm, "relative L2 error \(error / norm)")
    let probabilities = c["x"].table.prefix(5).map(model.probabilities)
    if binary {
      expect(
        probabilities.map { $0[1] }, near: c.expected["probabilities_of_first_five"].numbers, absolute: 1e-6, "p")
    } else {
      expect(
        probabilities.flatMap(\.self), near: c.expected["probabilities_of_first_five"].table.flatMap(\.self),
        absolute: 1e-5, "p")
    }
  }

  @Test(arguments: Case.load("cka"))
  func `linear alignment of representations agrees`(_ c: Case) {
    expect(linearAlignment(c["x"].table, c["y"].table).value, near: c.expected["linear_cka"].number, "CKA")
  }

  @Test(arguments: Case.load("borderline_smote"))
  func `borderline points are those in danger, and new ones begin there`(_ c: Case) {
    let (rows, labels, k, m) = (c["x"].table, c["y"].ints, c["k"].int, c["m"].int)
    let members = rows.indices.filter { labels[$0] == 1 }
    let danger = Oversampling.inDanger(members, rows, labels: labels, neighbours: m).map { members[$0] }
    #expect(danger == c.expected["in_danger"].ints)
    let grown = Oversampling(rows, labels: labels, neighbours: k, dangerNeighbours: m, start: .borderline, seed: 5)
    #expect(grown.rows.count == c.expected["count_after"].int)
    func distance(_ a: [Double], _ b: [Double]) -> Double {
      zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    }
    // The reference's own points pass the same check.
    for point in c["example_of_valid_synthetic_points"]["x"].table + Array(grown.rows.dropFirst(rows.count)) {
      let isBetween = danger.contains { a in
        members.filter { $0 != a }.sorted { distance(rows[a], rows[$0]) < distance(rows[a], rows[$1]) }.prefix(k)
          .contains {
            distance(rows[a], point) + distance(point, rows[$0]) - distance(rows[a], rows[$0]) <= 1e-9
          }
      }
      #expect(isBetween, "\(point)")
    }
  }

  @Test(arguments: Case.load("smote"))
  func `synthetic points lie between neighbours of their class`(_ c: Case) {
    let (rows, labels, k) = (c["x"].table, c["y"].ints, c["k"].int)
    let grown = Oversampling(rows, labels: labels, neighbours: k, seed: 11)
    let example = c.expected["class_counts_after"].ints
    #expect(example.indices.map { label in grown.labels.count { $0 == label } } == example)
    #expect(Array(grown.rows.prefix(rows.count)) == rows)
    #expect(Oversampling(rows, labels: labels, neighbours: k, seed: 11).rows == grown.rows)
    #expect(Oversampling(rows, labels: labels, neighbours: k, seed: 12).rows != grown.rows)
    let largest = rows.joined().map(abs).max()!
    func distance(_ a: [Double], _ b: [Double]) -> Double {
      zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    }
    // The reference's own points pass the same check, so the check is not stricter than the case.
    let given = zip(c["example_of_valid_synthetic_points"]["x"].table, c["example_of_valid_synthetic_points"]["y"].ints)
    let ours = zip(grown.rows.dropFirst(rows.count), grown.labels.dropFirst(rows.count))
    for (point, label) in Array(given) + Array(ours) {
      let members = rows.indices.filter { labels[$0] == label }.map { rows[$0] }
      let isBetween = members.contains { a in
        let others = members.filter { $0 != a }.sorted { distance(a, $0) < distance(a, $1) }
        return others.prefix(k).contains { b in
          // Off the segment, the way over the point is longer than the segment.
          distance(a, point) + distance(point, b) - distance(a, b) <= 1e-6 * largest
        }
      }
      #expect(isBetween, "\(point) of class \(label)")
    }
  }
}
