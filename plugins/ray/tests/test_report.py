"""What is told of drivers in a run's folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from roar_ray.report import Driver


def test_a_killed_driver_that_nobody_has_waited_for_is_not_alive() -> None:
    with subprocess.Popen(("sleep", "600")) as process:
        started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
        driver = Driver({"pid": process.pid, "pid_started": started})
        was_alive = driver.is_alive
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        is_alive = driver.is_alive
    assert (was_alive, is_alive) == (True, False)
