"""Write `locks/<tracker>.txt`: what the newest release of each tracker needs, version by version.

    python plugins/analyzer_trackers/tests/lock.py [tracker …]

Run it to let the tests meet newer trackers, look at what fails, and commit the files. Each tracker
is installed into an empty environment with this Python, and what `pip freeze` then says is the
lock: names and versions, nothing of the machine or of the index they came from.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

LOCKS = Path(__file__).parent / "locks"
# mlflow-skinny with SQLAlchemy and alembic writes what the whole of mlflow writes, and installs in
# a quarter of the time. The extra names are what a tracker imports without saying so.
REQUIREMENTS = {
    "aim": ("aim",),
    "clearml": ("clearml",),
    "comet": ("comet-ml",),
    "mlflow": ("mlflow-skinny", "sqlalchemy", "alembic"),
    "neptune": ("neptune",),
    "neptune-scale": ("neptune-scale",),
    "swanlab": ("swanlab",),
    "tensorboard": ("tensorboardX",),
    "trackio": ("trackio",),
    "wandb": ("wandb",),
}


def lock(tracker: str) -> None:
    """Install and write down."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = (f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check")
        subprocess.run([*pip, "install", "-q", *REQUIREMENTS[tracker]], check=True)
        frozen = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True)
    pins = sorted((line for line in frozen.stdout.splitlines() if "==" in line), key=str.lower)
    (LOCKS / f"{tracker}.txt").write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")


if __name__ == "__main__":
    LOCKS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or REQUIREMENTS:
        lock(name)
