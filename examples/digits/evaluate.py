"""Examine models/model.npz with data/test.csv and write report.json."""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix

model = np.load("models/model.npz")
test = np.loadtxt("data/test.csv", delimiter=",")
labels, pixels = test[:, 0], test[:, 1:] / 16

scores = pixels @ model["weights"].T + model["bias"]
guesses = model["classes"][scores.argmax(axis=1)]

report = {
    "images": len(test),
    "accuracy": round(float(accuracy_score(labels, guesses)), 4),
    "confusion": confusion_matrix(labels, guesses).tolist(),
}
Path("report.json").write_text(json.dumps(report, indent=2) + "\n")
print(f"accuracy {report['accuracy']:.1%} on {report['images']} images")
