"""Write `locks/<name>.txt`: the newest Ray, and what it then needs, version by version.

    python plugins/ray/tests/lock.py [name …]

Run it to let the tests meet a newer Ray, look at what fails, and commit the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

from roar_core.testing.locked_environments import write_lock

LOCKS = Path(__file__).parent / "locks"
# The second is for Ray's libraries, Data, Train and Tune, and for what Ray takes when it is there:
# 700 MB.
REQUIREMENTS = {
    "ray": ("ray[default]",),
    "ray-libraries": ("ray[default,data,train,tune]", "pandas", "uv", "uvloop"),
}


if __name__ == "__main__":
    for name in sys.argv[1:] or REQUIREMENTS:
        write_lock(LOCKS / f"{name}.txt", REQUIREMENTS[name])
