"""Files to put, and the process that puts one and is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from roar_core.testing.transfer import upload_of
from roar_proxy_s3.transfer.s3 import S3Transfer

MIB = 1 << 20


def counted(path: Path, size: int) -> Path:
    """A file in which no two mebibytes are equal."""
    with path.open("wb") as file:
        for number in range(-(-size // MIB)):
            file.write(number.to_bytes(4, "big") * (min(MIB, size - number * MIB) // 4))
    assert path.stat().st_size == size
    return path


def killed_after(first: int, last: int, source: Path, url: str) -> int:
    """Put in other processes, each killed when it has had one answer more; how many were killed.

    The last was not, when fewer were than `last - first + 1`.
    """
    command = (sys.executable, __file__, str(first), str(last), source, url)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def main(first: int, last: int, source: Path, url: str) -> int:
    """Put in children, each killed before the answer of its number is looked at."""
    transfer = S3Transfer()
    left = 0

    def answered(**about: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    transfer._client(url).meta.events.register("after-call.s3", answered)
    for left in range(first, last + 1):
        # Forked, since what takes a second is to import botocore.
        child = os.fork()
        if child == 0:
            transfer.put(upload_of(source, url))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert status == 0
            return left - first
    return last - first + 1


if __name__ == "__main__":
    sys.stdout.write(str(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])))
