"""Makes Tests/Fixtures/stats/speech_costs.json: ASVspoof's EER, t-DCF of 2019 and 2021, minDCF, actDCF, Cllr and a-DCF of
made-up scores, some of them tied, by a plain NumPy restatement of the challenges' published definitions.

usage: python3 Scripts/parity/speech_costs.py [dev_scores_label.csv]
With ASVspoof 5's dev_scores_label.csv it prints that file's values instead.
"""
import csv, json, math, pathlib, sys
import numpy as np


def det(target, nontarget):
    scores = np.concatenate([target, nontarget])
    labels = np.concatenate([np.ones(target.size), np.zeros(nontarget.size)])
    order = np.argsort(scores, kind="mergesort")
    hits = np.cumsum(labels[order])
    others = nontarget.size - (np.arange(1, scores.size + 1) - hits)
    frr = np.concatenate([[0.0], hits / target.size])
    far = np.concatenate([[1.0], others / nontarget.size])
    return frr, far, np.concatenate([[scores[order[0]] - 0.001], scores[order]])


def eer(target, nontarget):
    frr, far, thresholds = det(target, nontarget)
    i = np.argmin(np.abs(frr - far))
    return float((frr[i] + far[i]) / 2), float(thresholds[i])


def costs(cm_bona, cm_spoof, target, nontarget, spoof):
    rate, threshold = eer(target, nontarget)
    p_fa, p_miss = np.mean(nontarget >= threshold), np.mean(target < threshold)
    p_miss_spoof = np.mean(spoof < threshold)
    p_spoof, p_tar, p_non = 0.05, 0.95 * 0.99, 0.95 * 0.01
    frr, far, _ = det(cm_bona, cm_spoof)
    c1 = p_tar * (1 - p_miss) - p_non * 10 * p_fa
    c2 = 10 * p_spoof * (1 - p_miss_spoof)
    legacy = np.min(c1 * frr + c2 * far) / min(c1, c2)
    c0 = p_tar * p_miss + p_non * 10 * p_fa
    c1 = p_tar - c0
    c2 = p_spoof * 10 * np.mean(spoof >= threshold)
    revised = np.min(c0 + c1 * frr + c2 * far) / (c0 + min(c1, c2))
    miss, alarm = 0.95, 0.5
    least = np.min(miss * frr + alarm * far) / min(miss, alarm)
    act = -math.log(miss / alarm)
    actual = (miss * np.mean(cm_bona < act) + alarm * np.mean(cm_spoof >= act)) / min(miss, alarm)
    cllr = 0.5 * (np.mean(np.log1p(np.exp(-cm_bona))) + np.mean(np.log1p(np.exp(cm_spoof)))) / math.log(2)
    every = np.unique(np.concatenate([target, nontarget, spoof]))
    adcf = min([1.5] + [0.9 * np.mean(target <= t) + 0.5 * np.mean(nontarget > t) + np.mean(spoof > t) for t in every]) / 0.9
    return {"cm_eer": eer(cm_bona, cm_spoof)[0], "asv_eer": rate, "asv_threshold": threshold,
            "min_tdcf_2019": float(legacy), "min_tdcf_2021": float(revised), "min_dcf": float(least),
            "act_dcf": float(actual), "cllr": float(cllr), "min_a_dcf": float(adcf)}


if len(sys.argv) > 1:
    rows = [tuple(map(float, row.values())) for row in csv.DictReader(open(sys.argv[1]))]
    asv, cm, label = map(np.array, zip(*rows))
    print(json.dumps(costs(cm[label != 0], cm[label == 0], asv[label == 1], asv[label == 2], asv[label == 0]), indent=1))
    sys.exit()

rng = np.random.default_rng(11)
cases = []
for name, step, sizes in [("continuous", 0, (60, 90, 150)), ("tied", 0.5, (60, 90, 150)), ("few", 0.25, (7, 5, 9))]:
    def draw(mean, count):
        values = rng.normal(mean, 1.5, count)
        return np.round(values / step) * step if step else np.round(values, 4)
    trials = [(kind, float(asv), float(cm)) for kind, count in zip(("target", "nontarget", "spoof"), sizes)
              for asv, cm in zip(draw({"target": 3, "nontarget": -2, "spoof": 1}[kind], count),
                                 draw(-2 if kind == "spoof" else 2, count))]
    kinds = {k: np.array([t[1:] for t in trials if t[0] == k]) for k in ("target", "nontarget", "spoof")}
    bona = np.concatenate([kinds["target"], kinds["nontarget"]])
    cases.append({"name": name, "kind": [t[0] for t in trials], "asv": [t[1] for t in trials], "cm": [t[2] for t in trials],
                  "expected": costs(bona[:, 1], kinds["spoof"][:, 1], *(kinds[k][:, 0] for k in ("target", "nontarget", "spoof")))})
out = pathlib.Path(__file__).resolve().parents[2] / "Tests/Fixtures/stats/speech_costs.json"
out.write_text(json.dumps({"about": {"made by": "Scripts/parity/speech_costs.py"}, "tolerance": {"relative": 1e-12},
                           "cases": cases}))
