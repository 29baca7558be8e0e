"""A data-science script as people write them: read a table, fit, cross-validate, write results."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

table, out = Path(sys.argv[1]), Path(sys.argv[2])
rows = np.loadtxt(table, delimiter=",")
labels, features = rows[:, 0], rows[:, 1:]
forest = RandomForestClassifier(n_estimators=100, random_state=0)
scores = cross_val_score(forest, features, labels, cv=5)
forest.fit(features, labels)
np.savetxt(out / "importance.csv", forest.feature_importances_, fmt="%.6f")
(out / "scores.json").write_text(json.dumps([round(float(score), 4) for score in scores]))
