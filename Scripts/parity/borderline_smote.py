#!/usr/bin/env python3
"""Writes Tests/Fixtures/stats/borderline_smote.json: which points of the smaller class are in danger, and valid new ones,
as imbalanced-learn (0.14) finds them. Usage: borderline_smote.py OUTPUT"""
import json
import sys

import imblearn
import numpy
from imblearn.over_sampling import BorderlineSMOTE
from sklearn.neighbors import NearestNeighbors

cases = []
for name, seed, big, small, gap, width, k, m in [
    ("overlapping", 1, 60, 15, 1.0, 2, 5, 10), ("apart with an edge", 2, 80, 20, 2.2, 3, 5, 10),
    ("few neighbours", 3, 40, 12, 1.2, 4, 3, 6),
]:
    r = numpy.random.default_rng(seed)
    x = numpy.vstack([r.normal(0, 1, (big, width)), r.normal(gap, 1, (small, width))]).astype(numpy.float64)
    y = numpy.array([0] * big + [1] * small)
    order = r.permutation(len(y))
    x, y = x[order], y[order]
    sampler = BorderlineSMOTE(k_neighbors=k, m_neighbors=m, kind="borderline-1", random_state=seed)
    grown, classes = sampler.fit_resample(x, y)
    nearest = NearestNeighbors(n_neighbors=m + 1).fit(x)
    members = numpy.flatnonzero(y == 1)
    danger = sampler._in_danger_noise(nearest, x[members], 1, y, kind="danger")
    assert 0 < danger.sum() < len(members)
    cases.append({
        "name": name, "k": k, "m": m, "x": x.tolist(), "y": y.tolist(),
        "expected": {"in_danger": members[danger].tolist(), "count_after": len(classes)},
        "example_of_valid_synthetic_points": {"x": grown[len(y):][:8].tolist(), "y": classes[len(y):][:8].tolist()},
    })
json.dump({"about": {"made_by": f"imbalanced-learn {imblearn.__version__}"}, "tolerance": {"absolute": 0},
           "cases": cases}, open(sys.argv[1], "w"))
