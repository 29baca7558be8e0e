"""Split scikit-learn's handwritten digits (1,797 images of 8 x 8 pixels) into two CSV files."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

digits = load_digits()
# One image a row: the label, then 64 grey values from 0 to 16.
rows = np.column_stack([digits.target, digits.data]).astype(int)
train, test = train_test_split(rows, test_size=0.25, random_state=0, stratify=digits.target)

data = Path("data")
data.mkdir(exist_ok=True)
np.savetxt(data / "train.csv", train, fmt="%d", delimiter=",")
np.savetxt(data / "test.csv", test, fmt="%d", delimiter=",")
print(f"{len(train)} images to learn from, {len(test)} to be examined with")
