"""Many tasks of Ray that do nothing; tells at its end, as JSON, when things happened.

    python ray_noop.py TASKS WARM_UP MARK

Each moment is a pair: seconds since boot, and seconds of processor time that all processes with
`RAY_NOOP=MARK` in their environment had used by then, with those that they have waited for.
"""

import atexit
import json
import os
import sys
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
moments = {}


def processor_time(mark):
    """Seconds that the processes of this round have used: Ray's servers and workers, and roar."""
    wanted, ticks = f"RAY_NOOP={mark}\0".encode(), 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in process.joinpath("environ").read_bytes() + b"\0":
                fields = process.joinpath("stat").read_text().rpartition(")")[2].split()
                # proc_pid_stat(5): utime, stime, cutime and cstime.
                ticks += sum(map(int, fields[11:15]))
        except OSError:
            continue
    return ticks / TICKS


def note(moment):
    """Note that it is now; looking at all processes comes after the time and before the rest."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    moments[moment] = (now, processor_time(sys.argv[3]))


def tell():
    """Say it all. Registered before Ray is imported, so that this comes after Ray's own end."""
    note("end")
    own = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    moments["begin"] = (int(own[19]) / TICKS, 0.0)
    os.write(1, json.dumps(moments).encode())


atexit.register(tell)

import ray  # noqa: E402 - after our atexit function

ray.init(num_cpus=os.cpu_count(), include_dashboard=False, log_to_driver=False)


@ray.remote
def nothing():
    """Do nothing."""


tasks, warm_up = int(sys.argv[1]), int(sys.argv[2])
ray.get(nothing.remote())
note("first result")
ray.get([nothing.remote() for _ in range(warm_up)])
note("warm")
ray.get([nothing.remote() for _ in range(tasks)])
note("done")
