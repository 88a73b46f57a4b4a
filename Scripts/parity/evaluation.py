"""Checks every metric and test of `unmask evaluate` and `unmask compare` on random score files, many of them tied, against
scikit-learn, SciPy and plain NumPy.

usage: python3 Scripts/parity/evaluation.py [path of unmask]     (needs scikit-learn and scipy)
"""
import itertools, json, math, pathlib, subprocess, sys, tempfile
import numpy as np
from scipy import optimize, stats
from sklearn import isotonic, metrics

root = pathlib.Path(__file__).resolve().parents[2]
unmask = sys.argv[1] if len(sys.argv) > 1 else str(root / ".build/release/unmask")
rng = np.random.default_rng(2024)
worst, failures = {}, []


def check(name, ours, theirs, tolerance=1e-10):
    if isinstance(ours, dict):  # {"undefined": reason}
        ours = None
    if theirs is None or (isinstance(theirs, float) and math.isnan(theirs)):
        if ours is not None:
            failures.append(f"{name}: {ours}, expected undefined")
        return
    if ours is None:
        failures.append(f"{name}: undefined, expected {theirs}")
        return
    error = abs(ours - theirs) / max(1.0, abs(theirs))
    worst[name] = max(worst.get(name, 0), error)
    if error > tolerance:
        failures.append(f"{name}: {ours}, expected {theirs}")


def run(*arguments):
    done = subprocess.run([unmask, *arguments, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def delong(y, scores):
    """Areas and covariance from every pair of a fake and a real item."""
    kernels = [(s[y][:, None] > s[~y][None, :]) + 0.5 * (s[y][:, None] == s[~y][None, :]) for s in scores]
    v10, v01 = [k.mean(1) for k in kernels], [k.mean(0) for k in kernels]
    m, n = y.sum(), (~y).sum()
    return [k.mean() for k in kernels], np.atleast_2d(np.cov(v10)) / m + np.atleast_2d(np.cov(v01)) / n


def bins(p, right, edges_of):
    total, worst_gap = 0.0, 0.0
    for members in edges_of(p):
        if members.any():
            gap = abs(right[members].mean() - p[members].mean())
            total, worst_gap = total + members.mean() * gap, max(worst_gap, gap)
    return total, worst_gap


def width(p):
    edges = np.arange(16) / 15
    return [(p > edges[k]) & (p <= edges[k + 1]) | ((k == 0) & (p == 0)) for k in range(15)]


def mass(p):
    ordered = np.sort(p)
    edges = np.array([ordered[k * len(p) // 15] for k in range(1, 15)])
    place = np.searchsorted(edges, p, side="right")
    return [place == k for k in range(15)]


def reference_eer(target, nontarget):
    scores = np.concatenate([target, nontarget])
    labels = np.concatenate([np.ones(target.size), np.zeros(nontarget.size)])[np.argsort(scores, kind="mergesort")]
    hits = np.cumsum(labels)
    frr = np.concatenate([[0], hits / target.size])
    far = np.concatenate([[1], (nontarget.size - (np.arange(1, scores.size + 1) - hits)) / nontarget.size])
    i = np.argmin(np.abs(frr - far))
    return (frr[i] + far[i]) / 2


def one(path, y, p, threshold):
    found = run("evaluate", str(path), "--resamples", "0", "--threshold", str(threshold))[0]
    m, decided = found["pooled"], p >= threshold
    fpr, tpr, _ = metrics.roc_curve(y, p, drop_intermediate=False)
    check("auc", m["auc"], metrics.roc_auc_score(y, p))
    check("average_precision", m["average_precision"], metrics.average_precision_score(y, p))
    precision, recall, _ = metrics.precision_recall_curve(y, p)
    check("pr_auc", m["pr_auc"], metrics.auc(recall, precision))
    check("eer", m["eer"], reference_eer(-p[~y], -p[y]))
    crossing = optimize.brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0, 1) if len(np.unique(fpr)) == len(fpr) else None
    if crossing is not None:
        check("eer_interp", m["eer_interp"], crossing, 1e-9)
    for name, rate in (("tpr_at_fpr_0_1", 0.001), ("tpr_at_fpr_1", 0.01), ("tpr_at_fpr_10", 0.1)):
        check(name, m[name], tpr[fpr <= rate].max())
    check("accuracy", m["accuracy"], metrics.accuracy_score(y, decided))
    check("balanced_accuracy", m["balanced_accuracy"], metrics.balanced_accuracy_score(y, decided))
    check("precision", m["precision"], metrics.precision_score(y, decided) if decided.any() else None)
    check("recall", m["recall"], metrics.recall_score(y, decided))
    check("false_positive_rate", m["false_positive_rate"], decided[~y].mean())
    check("f1", m["f1"], metrics.f1_score(y, decided))
    check("mcc", m["mcc"], metrics.matthews_corrcoef(y, decided) if 0 < decided.sum() < len(y) else None)
    check("kappa", m["kappa"], metrics.cohen_kappa_score(y, decided))
    check("brier", m["brier"], metrics.brier_score_loss(y, p))
    check("log_loss", m["log_loss"], metrics.log_loss(y, p))
    ece, mce = bins(p, y, width)
    check("ece", m["ece"], ece)
    check("mce", m["mce"], mce)
    check("ece_equal_mass", m["ece_equal_mass"], bins(p, y, mass)[0])
    check("ece_top_label", m["ece_top_label"], bins(np.maximum(p, 1 - p), (p > 0.5) == y, width)[0])
    clipped = np.clip(p, 1e-12, 1 - 1e-12)
    llr = np.log(clipped) - np.log1p(-clipped)
    check("cllr", m["cllr"], (np.logaddexp(0, -llr[y]).mean() + np.logaddexp(0, llr[~y]).mean()) / 2 / math.log(2))
    miss = np.concatenate([[0], fpr[1:]]) * 0.95 + (1 - np.concatenate([[0], tpr[1:]])) * 0.5
    check("min_dcf", m["min_dcf"], miss.min() / 0.5)
    act = math.log(0.95 / 0.5)
    check("act_dcf", m["act_dcf"], (0.95 * (llr[~y] > act).mean() + 0.5 * (llr[y] <= act).mean()) / 0.5)
    order = np.argsort(-np.maximum(p, 1 - p), kind="stable")
    confidence, error = np.maximum(p, 1 - p)[order], ((p > 0.5) != y)[order].astype(float)
    for value in np.unique(confidence):
        error[confidence == value] = error[confidence == value].mean()
    check("aurc", m["aurc"], (np.cumsum(error) / np.arange(1, len(y) + 1)).mean())
    area, covariance = delong(y, [p])
    z = stats.norm.ppf(0.975) * math.sqrt(covariance[0, 0])
    check("DeLong low", found["delong"]["lower"], max(0, area[0] - z))
    check("DeLong high", found["delong"]["upper"], min(1, area[0] + z))


def chosen(path, y, p):
    fpr, tpr, thresholds = metrics.roc_curve(y, p, drop_intermediate=False)
    fpr, tpr, thresholds = fpr[1:], tpr[1:], thresholds[1:]
    n, positives = len(y), y.sum()
    f1 = 2 * tpr * positives / (positives + tpr * positives + fpr * (n - positives))
    objectives = {"f1": f1, "youden": tpr - fpr, "balanced-accuracy": (tpr + 1 - fpr) / 2,
                  "eer": -np.abs(fpr - (1 - tpr)), "cost:5:1:0.2": -(5 * 0.2 * (1 - tpr) + 0.8 * fpr),
                  "fpr:0.05": np.where(fpr <= 0.05, tpr, -1)}
    for rule, objective in objectives.items():
        found = run("evaluate", str(path), "--resamples", "0", "--threshold", rule, "--oracle")[0]
        decided = p >= found["thresholds"][0]["threshold"]
        reached = {"f1": lambda: metrics.f1_score(y, decided), "youden": lambda: decided[y].mean() - decided[~y].mean(),
                   "balanced-accuracy": lambda: metrics.balanced_accuracy_score(y, decided),
                   "eer": lambda: -abs(decided[~y].mean() - (1 - decided[y].mean())),
                   "cost:5:1:0.2": lambda: -(5 * 0.2 * (1 - decided[y].mean()) + 0.8 * decided[~y].mean()),
                   "fpr:0.05": lambda: decided[y].mean() if decided[~y].mean() <= 0.05 else -1}[rule]()
        best = objective.max()
        if rule.startswith("fpr"):
            best = max(best, 0)  # nothing called fake
        if rule.startswith("cost"):
            best = max(best, -5 * 0.2)  # never an alarm
        check("threshold " + rule, reached, best, 1e-12)


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for trial, (n, step) in enumerate(itertools.product((40, 300, 1000), (0, 0.01, 0.1, 0.34))):
        y = rng.random(n) < rng.choice([0.2, 0.5, 0.8])
        y[:2] = True, False
        p = stats.norm.cdf(rng.normal(np.where(y, 0.5, -0.5), 1))
        p = np.round(p / step) * step if step else p
        p = np.clip(p, 0, 1)
        path = folder / f"{trial}.csv"
        path.write_text("sample,label,score\n" + "".join(
            f"{i},{'fake' if f else 'real'},{float(s)!r}\n" for i, (f, s) in enumerate(zip(y, p))))
        one(path, y, p, 0.5)
        chosen(path, y, p)

    # Calibration on validation rows of the same file.
    y = rng.random(1200) < 0.4
    logit = rng.normal(np.where(y, 2, -2), 3)
    p = 1 / (1 + np.exp(-logit))
    part = np.where(np.arange(1200) % 2 == 0, "validation", "test")
    path = folder / "calibration.csv"
    path.write_text("sample,label,score,logit,part\n" + "".join(
        f"{i},{'fake' if f else 'real'},{float(s)!r},{float(l)!r},{q}\n" for i, (f, s, l, q) in enumerate(zip(y, p, logit, part))))
    found = run("evaluate", str(path), "--resamples", "0")[0]["calibrated"]
    v, t = part == "validation", part == "test"
    fitted = isotonic.IsotonicRegression(out_of_bounds="clip").fit(p[v], y[v])
    check("isotonic brier", found["isotonic"]["brier"], metrics.brier_score_loss(y[t], np.clip(fitted.predict(p[t]), 0, 1)))
    high, low = (y[v].sum() + 1) / (y[v].sum() + 2), 1 / ((~y[v]).sum() + 2)
    goal = np.where(y[v], high, low)
    beta = math.exp(optimize.minimize_scalar(
        lambda b: np.mean(np.logaddexp(0, math.exp(b) * logit[v]) - goal * math.exp(b) * logit[v]), (-3, 1), tol=1e-12).x)
    check("temperature log loss", found["temperature"]["log_loss"],
          metrics.log_loss(y[t], 1 / (1 + np.exp(-beta * logit[t]))), 1e-6)

    # Frames of recordings: each for itself, and recordings by every rule.
    n, frames = 120, 7
    y = rng.random(n) < 0.5
    p = stats.norm.cdf(rng.normal(np.where(y, 0.4, -0.4)[:, None], 1, (n, frames)))
    kind = np.where(y, np.where(np.arange(n) % 3 == 0, "A1", "A2"), "")
    path = folder / "frames.csv"
    path.write_text("video,label,type,score,frame\n" + "".join(
        f"{i},{'fake' if y[i] else 'real'},{kind[i]},{float(p[i, k])!r},{k}\n" for i in range(n) for k in range(frames)))
    found = run("evaluate", str(path), "--column", "sample=video", "--resamples", "0", "--threshold", "0.5")[0]
    check("frame AUC", found["frames"]["area"], metrics.roc_auc_score(np.repeat(y, frames), p.ravel()))
    check("frame AP", found["frames"]["metrics"]["average_precision"],
          metrics.average_precision_score(np.repeat(y, frames), p.ravel()))
    check("frame recall", found["frames"]["metrics"]["recall"], (p[y] >= 0.5).mean())
    top = np.sort(p, axis=1)[:, -(frames // 4):].mean(1)
    joined = {"mean": p.mean(1), "median": np.median(p, 1), "max": p.max(1), "min": p.min(1), "top-k": top,
              "noisy-or": 1 - (1 - p).prod(1)}
    for rule in found["frames"]["rules"]:
        check("sample AUC by " + rule["rule"], rule["area"], metrics.roc_auc_score(y, joined[rule["rule"]]))
    check("sample AUC", found["area"], metrics.roc_auc_score(y, joined["mean"]))
    for attack in found["kinds"]:
        own = kind == attack["type"]
        check("EER of a kind", attack["eer"], reference_eer(-joined["mean"][~y], -joined["mean"][own]))
        check("AUC of a kind", attack["auc"], metrics.roc_auc_score(y[own | ~y], joined["mean"][own | ~y]))
    for bins_, edges in (("equal_width", width), ("equal_mass", mass)):
        for bin_ in found["reliability"]["none"][bins_]["bins"]:
            members = edges(joined["mean"])[bin_["index"]]
            check("reliability bin", bin_["accuracy"], y[members].mean())
            check("reliability score", bin_["confidence"], joined["mean"][members].mean())

    # Infinities, denormals and huge numbers rank as any others.
    odd = np.array([np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, -0.0, 1e-300, np.inf, 2.0])
    y = np.array([1, 0, 1, 0, 1, 0, 1, 0, 0, 1], bool)
    path = folder / "odd.csv"
    path.write_text("label,score\n" + "".join(f"{'fake' if f else 'real'},{float(s)!r}\n" for f, s in zip(y, odd)))
    found = run("evaluate", str(path), "--resamples", "0")[0]["pooled"]
    rank = stats.rankdata(odd)
    check("AUC of odd numbers", found["auc"], metrics.roc_auc_score(y, rank))
    check("AP of odd numbers", found["average_precision"], metrics.average_precision_score(y, rank))

    # Three models on eight folds.
    n, folds = 480, 8
    y, fold = rng.random(n) < 0.5, np.arange(n) % folds
    scores = {name: stats.norm.cdf(rng.normal(np.where(y, s, -s), 1)) for name, s in (("a", 0.9), ("b", 0.6), ("c", 0.3))}
    scores["b"] = np.round(scores["b"], 1)
    path = folder / "models.csv"
    path.write_text("sample,fold,label,model,score\n" + "".join(
        f"{i},{fold[i]},{'fake' if y[i] else 'real'},{name},{float(s[i])!r}\n" for name, s in scores.items() for i in range(n)))
    found = run("compare", str(path), "--resamples", "20", "--threshold", "0.5")
    areas = {name: [metrics.roc_auc_score(y[fold == k], s[fold == k]) for k in range(folds)] for name, s in scores.items()}
    weights = [y[fold == k].sum() * (~y[fold == k]).sum() for k in range(folds)]
    ps = []
    for pair in found["pairs"]:
        a, b = scores[pair["first"]], scores[pair["second"]]
        check("area within folds", pair["firstArea"], float(np.average(areas[pair["first"]], weights=weights)))
        right = [(s >= 0.5) == y for s in (a, b)]
        only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
        theirs = (stats.binomtest(min(only), sum(only), 0.5).pvalue if sum(only) < 25
                  else stats.chi2.sf((abs(only[0] - only[1]) - 1) ** 2 / sum(only), 1))
        check("McNemar p", pair["mcNemarP"], theirs)
        d = np.array(areas[pair["first"]]) - np.array(areas[pair["second"]])
        check("Wilcoxon p", pair["wilcoxonP"], stats.wilcoxon(d).pvalue)
        t = d.mean() / math.sqrt(d.var(ddof=1) * (1 / folds + 1 / (folds - 1)))
        check("Nadeau-Bengio p", pair["folds"]["p"], 2 * stats.t.sf(abs(t), folds - 1))
        ps.append(pair["delong"]["p"])
        check("z to p", pair["delong"]["p"], 2 * stats.norm.sf(abs(pair["delong"]["z"])))
    order, running = np.argsort(ps), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1, (len(ps) - rank) * ps[index]))
        check("Holm", found["pairs"][index]["adjustedP"], running)
    check("Friedman p", found["friedman"]["p"], stats.friedmanchisquare(*areas.values()).pvalue)
    check("Nemenyi", found["friedman"]["criticalDifference"],
          stats.studentized_range.ppf(0.95, 3, np.inf) / math.sqrt(2) * math.sqrt(3 * 4 / (6 * folds)), 1e-6)

for name, error in sorted(worst.items()):
    print(f"{name:24} {error:.1e}")
print("\n".join(failures) or f"all {len(worst)} agree")
sys.exit(bool(failures))
