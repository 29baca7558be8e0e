"""The real trackers to test with, and the interpreter that has one of them.

What a tracker writes does not depend on the Python it is installed for.
"""

from __future__ import annotations

from pathlib import Path

LOCKS = Path(__file__).parent / "locks"
# What the users' page promises, and what therefore every run of the tests meets.
PROMISED = ("wandb", "mlflow", "neptune", "neptune-scale")
OTHERS = tuple(sorted({lock.stem for lock in LOCKS.glob("*.txt")} - {*PROMISED}))
