"""What each client is told to do: read every object below `in/`, and write its bytes below `out/`.

    python client_programs.py CLIENT BUCKET KEYS     KEYS is a JSON list

Run by the interpreter that has the client, so nothing but the standard library is imported above.
Where a client does not heed `AWS_ENDPOINT_URL_S3` by itself, it is told what stands there, as it is
for any store but Amazon's.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL_S3", "")
KEY, SECRET = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
BIN = Path(sys.executable).parent
IN_AND_OUT = ("in", "out")


def aiobotocore(bucket, keys):
    from aiobotocore.session import get_session

    async def copied():
        async with get_session().create_client("s3") as s3:
            for key in keys:
                found = await s3.get_object(Bucket=bucket, Key=f"in/{key}")
                async with found["Body"] as body:
                    content = await body.read()
                await s3.put_object(Bucket=bucket, Key=f"out/{key}", Body=content)

    asyncio.run(copied())


def s3fs(bucket, keys):
    import s3fs as library

    files = library.S3FileSystem()
    for key in keys:
        files.pipe_file(f"{bucket}/out/{key}", files.cat_file(f"{bucket}/in/{key}"))


def pyarrow(bucket, keys):
    from pyarrow import fs

    scheme, _, host = ENDPOINT.partition("://")
    files = fs.S3FileSystem(endpoint_override=host, scheme=scheme)
    for key in keys:
        with files.open_input_stream(f"{bucket}/in/{key}") as source:
            content = source.read()
        with files.open_output_stream(f"{bucket}/out/{key}") as target:
            target.write(content)


def polars(bucket, keys):
    """Of tables: what is written is another file with the same rows."""
    import polars as library

    for key in keys:
        table = library.read_csv(f"s3://{bucket}/in/{key}", glob=False)
        table.write_csv(f"s3://{bucket}/out/{key}")


def pandas(bucket, keys):
    """By s3fs."""
    import pandas as library

    for key in keys:
        table = library.read_csv(f"s3://{bucket}/in/{key}")
        table.to_csv(f"s3://{bucket}/out/{key}", index=False)


def duckdb(bucket, keys):
    """By its extension httpfs."""
    import duckdb as library
    import duckdb_extension_httpfs

    (extension,) = Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension")
    scheme, _, host = ENDPOINT.partition("://")
    database = library.connect()
    database.execute(f"LOAD '{extension}'")
    database.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', ENDPOINT '{host}',"
        f" REGION '{os.environ['AWS_REGION']}', URL_STYLE 'path', USE_SSL {scheme == 'https'})"
    )
    for key in keys:
        source, target = (f"s3://{bucket}/{side}/{key}".replace("'", "''") for side in IN_AND_OUT)
        table = f"FROM read_csv('{source}', hive_partitioning = false)"
        database.execute(f"COPY ({table}) TO '{target}' (FORMAT csv, HEADER, QUOTE '')")


def smart_open(bucket, keys):
    import smart_open as library

    for key in keys:
        with library.open(f"s3://{bucket}/in/{key}", "rb") as source:
            content = source.read()
        with library.open(f"s3://{bucket}/out/{key}", "wb") as target:
            target.write(content)


def s3torchconnector(bucket, keys):
    """PyTorch's and Mountpoint's client, which is AWS's common runtime."""
    from s3torchconnectorclient._mountpoint_s3_client import MountpointS3Client

    client = MountpointS3Client(
        region=os.environ["AWS_REGION"], endpoint=ENDPOINT, force_path_style=True
    )
    for key in keys:
        content = b"".join(client.get_object(bucket, f"in/{key}"))
        stream = client.put_object(bucket, f"out/{key}")
        stream.write(content)
        stream.close()


def obstore(bucket, keys):
    import obstore as library
    from obstore.store import S3Store

    store = S3Store(bucket, endpoint=ENDPOINT, client_options={"allow_http": True})
    for key in keys:
        library.put(store, f"out/{key}", bytes(library.get(store, f"in/{key}").bytes()))


def tensorstore(bucket, keys):
    import tensorstore as library

    place = {"endpoint": ENDPOINT, "aws_region": os.environ["AWS_REGION"], "bucket": bucket}
    store = library.KvStore.open({"driver": "s3", **place}).result()
    for key in keys:
        store.write(f"out/{key}", store.read(f"in/{key}").result().value).result()


def minio(bucket, keys):
    from io import BytesIO

    from minio import Minio

    scheme, _, host = ENDPOINT.partition("://")
    client = Minio(host, KEY, SECRET, secure=scheme == "https", region=os.environ["AWS_REGION"])
    for key in keys:
        content = client.get_object(bucket, f"in/{key}").read()
        client.put_object(bucket, f"out/{key}", BytesIO(content), len(content))


def aws_cli(bucket, keys):
    _by_files(bucket, keys, [BIN / "aws", "s3", "cp", "--no-progress"], "s3://")


def s5cmd(bucket, keys):
    _by_files(bucket, keys, [BIN / "s5cmd", "cp", "--raw"], "s3://")


def s3cmd(bucket, keys):
    host = ENDPOINT.partition("://")[2]
    options = ["--config", os.devnull, "--no-ssl", f"--host={host}", f"--host-bucket={host}"]
    options += [f"--access_key={KEY}", f"--secret_key={SECRET}", "--no-progress"]
    _by_files(bucket, keys, [BIN / "s3cmd", *options], "s3://", words=("get", "put"))


def rclone(bucket, keys):
    os.environ |= {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_S3_PROVIDER": "Other",
        "RCLONE_S3_ENV_AUTH": "true",
        "RCLONE_S3_ENDPOINT": ENDPOINT,
    }
    _by_files(bucket, keys, [BIN / "rclone", "copyto"], ":s3:")


def _by_files(bucket, keys, command, prefix, words=((), ())):
    command = [*map(str, command)]
    get, put = ([word] if word else [] for word in words)
    with tempfile.TemporaryDirectory() as folder:
        here = f"{folder}/content"
        for key in keys:
            for word, source, target in (
                (get, f"{prefix}{bucket}/in/{key}", here),
                (put, here, f"{prefix}{bucket}/out/{key}"),
            ):
                subprocess.run([*command, *word, source, target], check=True)
            Path(here).unlink()


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], json.loads(sys.argv[3]))
