"""Write `locks/<tracker>.txt`: what the newest release of each tracker needs, version by version.

    python plugins/analyzer_trackers/tests/lock.py [tracker …]

Run it to let the tests meet newer trackers, look at what fails, and commit the files. Each tracker
is installed into an empty environment with this Python, and what `pip freeze` then says is the
lock: names and versions, nothing of the machine or of the index they came from.
"""

from __future__ import annotations

import sys
from pathlib import Path

from roar_core.testing.locked_environments import write_lock

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


if __name__ == "__main__":
    LOCKS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or REQUIREMENTS:
        write_lock(LOCKS / f"{name}.txt", REQUIREMENTS[name])
