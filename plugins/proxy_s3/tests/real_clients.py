"""Which clients of S3 are tried for real, and which of them every run of the tests has."""

from __future__ import annotations

import os

# In which environment each is: a lock file's name, or the one of the tests.
CLIENTS = {
    "aiobotocore": "python",
    "s3fs": "python",
    "pyarrow": "python",
    "polars": "python",
    "obstore": "python",
    "minio": "python",
    "s3cmd": "python",
    "aws_cli": "awscli",
    "rclone": "",
}
HERE_ALREADY = tuple(name for name, lock in CLIENTS.items() if not lock)


def runs_all() -> bool:
    """Whether those that must be installed first are tried, too."""
    return bool(os.environ.get("ROAR_TEST_ALL_CLIENTS"))
