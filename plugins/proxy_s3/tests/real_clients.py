"""Which clients of S3 are tried for real, and which of them every run of the tests has."""

from __future__ import annotations

from roar_core.testing.long_tests import LongTests

# In which environment each is: a lock file's name, or the one of the tests.
CLIENTS = {
    "aiobotocore": "python",
    "s3fs": "python",
    "pyarrow": "python",
    "polars": "python",
    "pandas": "python",
    "duckdb": "python",
    "smart_open": "python",
    "s3torchconnector": "python",
    "s5cmd": "python",
    "obstore": "python",
    "minio": "python",
    "s3cmd": "python",
    "aws_cli": "awscli",
    "boto3_crt": "crt",
    "tensorstore": "tensorstore",
    "rclone": "",
}
# Those that go by no proxy, which is told.
UNSEEN = "boto3_crt"
HERE_ALREADY = tuple(name for name, lock in CLIENTS.items() if not lock)
# Those that must be installed first.
OTHERS = LongTests("ROAR_TEST_ALL_CLIENTS")
