"""What is looked up plainly is what botocore would have found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roar_proxy_s3.runs.plain import plainly_resolved
from roar_proxy_s3.runs.resolving import resolved

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDX", "AWS_SECRET_ACCESS_KEY": "nobody's"}
AT = {"AWS_ENDPOINT_URL_S3": "http://store.example:9000"}
PROFILE = {"AWS_PROFILE": "theirs"}
SAYS = "[profile theirs]\nregion = eu-west-1\nendpoint_url = http://profile.example\n"
HAS_KEYS = "[theirs]\naws_access_key_id = AKIDY\naws_secret_access_key = s\n"
OTHERS = "[profile o]\naws_access_key_id=AKIDO\naws_secret_access_key = o\nrole_arn = r\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "config", "lent"),
    [
        (KEYS | AT, "", ""),
        (KEYS | AT | {"AWS_SESSION_TOKEN": "t", "AWS_CA_BUNDLE": "own.pem"}, SAYS, HAS_KEYS),
        (KEYS, "", ""),
        (KEYS | {"AWS_DEFAULT_REGION": "ap-southeast-2"}, "", ""),
        (KEYS | {"AWS_REGION": "eu-west-3"}, "", ""),
        (KEYS | {"AWS_ENDPOINT_URL": "https://all.example/base"}, "", ""),
        (KEYS | PROFILE, SAYS, HAS_KEYS),
        (PROFILE, SAYS + OTHERS, HAS_KEYS),
        (PROFILE | AT, SAYS, HAS_KEYS),
        (PROFILE, SAYS + "aws_access_key_id = AKIDC\naws_secret_access_key = c\n", ""),
        ({}, "[default]\nregion = us-west-2\n", HAS_KEYS.replace("theirs", "default")),
    ],
)
def test_what_is_said_plainly_is_found_as_botocore_finds_it(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    config: str,
    lent: str,
) -> None:
    (home / ".aws" / "config").write_text(config)
    (home / ".aws" / "credentials").write_text(lent)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = plainly_resolved(os.environ)
    assert found is not None
    assert found == resolved()


@pytest.mark.parametrize(
    ("variables", "config"),
    [
        ({}, ""),
        ({"AWS_ACCESS_KEY_ID": "AKIDX"}, ""),
        (KEYS | {"AWS_ENDPOINT_URL_S3": ""}, ""),
        (KEYS | {"AWS_CREDENTIAL_EXPIRATION": "2030-01-01T00:00:00Z"}, ""),
        (KEYS | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, ""),
        (KEYS | {"AWS_DEFAULT_REGION": "cn-north-1"}, ""),
        (KEYS | {"AWS_PROFILE": "unknown"}, ""),
        (KEYS, "[default]\ns3 =\n  addressing_style = virtual\n"),
        (KEYS, "[default]\nservices = x\n[services x]\ns3 =\n  endpoint_url = http://a\n"),
        (KEYS, "no file of settings"),
        ({"AWS_PROFILE": "o"}, OTHERS),
    ],
)
def test_of_what_is_not_plain_botocore_is_asked(
    home: Path, variables: dict[str, str], config: str
) -> None:
    (home / ".aws" / "config").write_text(config)
    assert plainly_resolved({"HOME": str(home), **variables}) is None
