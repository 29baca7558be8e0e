"""What a program moves by way of the proxy is in the record of its run, by its content."""

from __future__ import annotations

import http.server
import json
import os
import threading
from typing import Any

import pytest
from blake3 import blake3
from s3_servers import S3Server, assumed_role, new_user

from roar_core.testing.projects import ProjectUnderTest

CONTENT = b"of an object" * 500
KEY = "year=2024/a b+c é.bin"
COPIES = """
import sys
from botocore.config import Config
from botocore.session import get_session

only = "when_required"
checks = Config(request_checksum_calculation=only, response_checksum_validation=only)
s3 = get_session().create_client("s3", config=checks)
bucket, key = sys.argv[1:]
content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
s3.head_object(Bucket=bucket, Key=key)
s3.put_object(Bucket=bucket, Key="made/" + key, Body=content.upper())
open("local.bin", "wb").write(content)
"""


@pytest.fixture
def enabled(project: ProjectUnderTest, moto: S3Server, bucket_on_moto: str) -> ProjectUnderTest:
    """A project with the proxy enabled, whose commands reach the server."""
    project.environ |= moto.variables
    project.write("roar.toml", "[s3]\nproxy = true\n")
    with moto.client() as s3:
        s3.put_object(Bucket=bucket_on_moto, Key=KEY, Body=CONTENT)
    return project


def objects(job: Any, side: str) -> dict[str, Any]:
    return {edge["path"]: edge for edge in job[side] if edge["kind"] == "object"}


def test_objects_are_inputs_and_outputs_by_their_content(
    enabled: ProjectUnderTest, bucket_on_moto: str
) -> None:
    enabled.write("script.py", COPIES)
    result = enabled.run("python", "script.py", bucket_on_moto, KEY)
    assert result.exit_code == 0, result.stderr
    assert result.job is not None
    assert result.job["coverage"]["state"] == "complete"
    [(url, read)] = objects(result.job, "inputs").items()
    assert url == f"s3://{bucket_on_moto}/{KEY}"
    assert read["hash"] == f"blake3:{blake3(CONTENT).hexdigest()}"
    assert read["size"] == len(CONTENT)
    [(url, written)] = objects(result.job, "outputs").items()
    assert url == f"s3://{bucket_on_moto}/made/{KEY}"
    assert written["hash"] == f"blake3:{blake3(CONTENT.upper()).hexdigest()}"
    [local] = [edge for edge in result.job["outputs"] if edge["relative"] == "local.bin"]
    assert local["hash"] == read["hash"]
    assert not list((enabled.root / ".roar" / "runs").glob("*"))


PART = """
import sys
from botocore.session import get_session

s3, (bucket, key) = get_session().create_client("s3"), sys.argv[1:]
for part in ("bytes=10-19", "bytes=20-29", "bytes=-5"):
    s3.get_object(Bucket=bucket, Key=key, Range=part)["Body"].read()
"""


def test_of_what_was_read_in_part_is_told_which_part(
    enabled: ProjectUnderTest, bucket_on_moto: str
) -> None:
    enabled.write("script.py", PART)
    result = enabled.run("python", "script.py", bucket_on_moto, KEY)
    assert result.job is not None
    [read] = objects(result.job, "inputs").values()
    size = len(CONTENT)
    assert (read["size"], read["hash"], read["hash_state"]) == (size, None, "unknown")
    assert read["ranges"] == [[10, 30], [size - 5, size]]
    assert "25 B of it was read" in enabled.roar("show").stdout


OWN_KEYS = """
import json, os, sys
from botocore.session import get_session

key, secret, bucket, name = sys.argv[1:]
keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
s3 = get_session().create_client("s3", **keys)
link = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": name})
import sitecustomize
seen = {
    "content": s3.get_object(Bucket=bucket, Key=name)["Body"].read().decode(),
    "link": link,
    "path": [each for each in sys.path if ".roar" in each],
    "theirs": getattr(sitecustomize, "ran", None),
}
json.dump(seen, open("seen.json", "w"))
"""


def test_a_python_program_keeps_its_own_keys_and_start_up(
    project: ProjectUnderTest, moto: S3Server, bucket_on_moto: str
) -> None:
    other = new_user(moto, ["s3:*"])
    with other.client() as s3:
        s3.put_object(Bucket=bucket_on_moto, Key="k", Body=b"content")
    project.environ |= moto.variables
    project.write("roar.toml", "[s3]\nproxy = true\n")
    project.write("start/sitecustomize.py", "ran = __file__\n")
    path = os.pathsep.join((str(project.plugins.folder), str(project.root / "start")))
    project.write("script.py", OWN_KEYS)
    keys = [other.variables[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")]
    command = ("python", "script.py", *keys, bucket_on_moto, "k")
    result = project.run(*command, environ={"PYTHONPATH": path})
    assert result.exit_code == 0, result.stderr
    assert result.job is not None
    [read] = objects(result.job, "inputs").values()
    assert read["hash"] == f"blake3:{blake3(b'content').hexdigest()}"
    seen = json.loads(project.read("seen.json"))
    assert seen.pop("link").startswith(moto.url)
    theirs = str(project.root / "start" / "sitecustomize.py")
    assert seen == {"content": "content", "path": [], "theirs": theirs}


DIES = """
import glob, json, os, signal, sys, time
from botocore.config import Config
from botocore.session import get_session

s3 = get_session().create_client("s3", config=Config(retries={"total_max_attempts": 1}))
s3.get_object(Bucket=sys.argv[1], Key=sys.argv[2])["Body"].read()
[ready] = glob.glob(".roar/runs/*/proxy-s3/ready.json")
# What passed is told after its last byte, which is here already.
while not os.path.getsize(ready.replace("ready.json", "objects.jsonl")):
    time.sleep(0.002)
os.kill(json.load(open(ready))["pid"], signal.SIGKILL)
try:
    s3.put_object(Bucket=sys.argv[1], Key="new", Body=b"x")
except Exception as error:
    sys.exit(f"{type(error).__name__}")
"""


def test_a_proxy_that_died_is_told(enabled: ProjectUnderTest, bucket_on_moto: str) -> None:
    enabled.write("script.py", DIES)
    result = enabled.run("python", "script.py", bucket_on_moto, KEY)
    assert "EndpointConnectionError" in result.stderr or "ConnectionClosed" in result.stderr
    assert result.job is not None
    assert set(objects(result.job, "inputs")) == {f"s3://{bucket_on_moto}/{KEY}"}
    assert not objects(result.job, "outputs")
    [reason] = result.job["coverage"]["reasons"]
    assert (reason["code"], "died" in reason["detail"]) == ("proxy", True)


@pytest.mark.parametrize(
    ("lasting", "keys"),
    [
        (True, "aws_access_key_id = {key}\naws_secret_access_key = {secret}\n"),
        (False, "credential_process = cat {folder}/lent.json\n"),
    ],
)
def test_a_profile_says_where_to_go_and_as_whom(
    enabled: ProjectUnderTest, moto: S3Server, bucket_on_moto: str, lasting: bool, keys: str
) -> None:
    key, secret = (moto.variables[f"AWS_{n}"] for n in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    lent = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": secret}
    enabled.write("lent.json", json.dumps(lent))
    settings = keys.format(key=key, secret=secret, folder=enabled.root)
    enabled.write(
        "aws", f"[profile theirs]\nregion = us-east-1\nendpoint_url = {moto.url}\n{settings}"
    )
    enabled.environ |= {
        "AWS_PROFILE": "theirs",
        "AWS_CONFIG_FILE": str(enabled.root / "aws"),
        "AWS_ENDPOINT_URL_S3": "",
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
    }
    enabled.write("script.py", COPIES)
    # With -I it does not heed what is meant for Python programs: as one that is none.
    python = ("python", "-I") if lasting else ("python",)
    result = enabled.run(*python, "script.py", bucket_on_moto, KEY)
    assert result.exit_code == 0, result.stderr
    assert result.job is not None
    assert len(objects(result.job, "inputs")) == 1
    assert len(objects(result.job, "outputs")) == 1
    reasons = [reason["detail"] for reason in result.job["coverage"]["reasons"]]
    assert [("credentials by custom-process" in reason) for reason in reasons] == (
        [] if lasting else [True]
    )


LENT = """
import json, os, sys
from botocore.session import get_session

session = get_session()
s3 = session.create_client("s3")
s3.put_object(Bucket=sys.argv[1], Key="by a role", Body=b"content")
seen = {
    "method": session.get_credentials().method,
    "token": session.get_credentials().token,
    "endpoint": os.environ["AWS_ENDPOINT_URL_S3"],
}
json.dump(seen, open("seen.json", "w"))
"""


def test_a_role_s_keys_are_the_program_s_own(
    enabled: ProjectUnderTest, moto: S3Server, bucket_on_moto: str
) -> None:
    """A service on loopback lends a role's keys, as a container's or a machine's does."""
    lent = assumed_role(moto)

    class Lends(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(lent).encode())

        def log_message(self, *_: object) -> None:
            """Nothing on the tests' output."""

    enabled.environ |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    enabled.write("script.py", LENT)
    with http.server.HTTPServer(("127.0.0.1", 0), Lends) as lender:
        serving = threading.Thread(target=lender.serve_forever)
        serving.start()
        url = f"http://127.0.0.1:{lender.server_port}/role"
        enabled.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url
        result = enabled.run("python", "script.py", bucket_on_moto)
        lender.shutdown()
        serving.join()
    assert result.exit_code == 0, result.stderr
    assert json.loads(enabled.read("seen.json")) == {
        "method": "container-role",
        "token": lent["Token"],
        "endpoint": moto.url,
    }
    assert result.job is not None
    [written] = objects(result.job, "outputs").values()
    assert written["hash"] == f"blake3:{blake3(b'content').hexdigest()}"
    [reason] = result.job["coverage"]["reasons"]
    assert "container-role are lent to each program" in reason["detail"]


def test_roar_proxy_says_where_it_leads_and_shows_no_key(
    project: ProjectUnderTest, moto: S3Server
) -> None:
    project.environ |= {**moto.variables, "XDG_RUNTIME_DIR": str(project.home)}
    assert project.roar("proxy", "enable").exit_code == 0
    started = project.roar("proxy", "start")
    assert started.exit_code == 0, started.stderr
    status = project.roar("proxy", "status", "--json")
    assert project.roar("proxy", "stop").exit_code == 0
    found = json.loads(status.stdout)
    assert (found["enabled"], found["endpoint"]) == (True, moto.url)
    assert f"AWS_ENDPOINT_URL_S3={found['started']['url']}" in started.stdout
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert moto.variables[name] not in status.stdout + started.stdout
