"""Write `locks/<set>.txt`: what the newest release of each set of S3 clients needs.

    python plugins/proxy_s3/tests/lock.py [set …]

Run it to let the tests meet newer clients, look at what fails, and commit the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

from roar_core.testing.locked_environments import write_lock

LOCKS = Path(__file__).parent / "locks"
REQUIREMENTS = {
    # It wants a botocore of its own.
    "awscli": ("awscli",),
    "crt": ("boto3[crt]",),
    "python": (
        *("s3fs", "pandas", "polars", "pyarrow", "obstore", "s3cmd", "s5cmd", "minio"),
        *("duckdb", "duckdb-extension-httpfs", "smart_open[s3]", "s3torchconnectorclient"),
    ),
    "tensorstore": ("tensorstore",),
}

if __name__ == "__main__":
    LOCKS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or REQUIREMENTS:
        write_lock(LOCKS / f"{name}.txt", REQUIREMENTS[name])
