"""What looks like a secret stays out of snapshots; what merely sounds like one stays in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from roar_core.environment.git import GitProbe
from roar_core.environment.snapshot import is_dirty, take_snapshot
from roar_core.environment.sources import holds_secret, looks_secret, sort_untracked

SUFFIXES = (".py", ".sh", ".ts")


@pytest.mark.parametrize(
    "path",
    [
        *("/r/.env", "/r/.env.production", "/r/prod.env", "/r/.ENV", "/r/server.pem", "/r/tls.key"),
        *("/r/id_rsa", "/r/id_ed25519.old", "/r/cert.p12", "/r/cert.pfx", "/r/keys.kdbx"),
        *("/r/credentials", "/r/credentials.json", "/r/aws-credentials.ini", "/r/secrets.yaml"),
        *("/r/.netrc", "/r/.pypirc", "/r/.npmrc", "/r/.git-credentials", "/r/.aws/config"),
        *("/r/home/.ssh/known_hosts", "/r/api_token.txt", "/r/hf.token", "/r/api-key.toml"),
        *("/r/service-account-prod.json", "/r/client_secret.json", "/r/secrets.py", "/r/token.ts"),
    ],
)
def test_a_name_of_a_secret_is_recognised(path: str) -> None:
    assert looks_secret(path, SUFFIXES)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/r/tokenizer.py",
            "/r/token_counts.py",
            "/r/tokenizer.json",
            "/r/keys.py",
            "/r/monkey.py",
        ),
        *("/r/.env.example", "/r/env.py", "/r/environment.yml", "/r/secretary.toml"),
        *("/r/id_rsa.pub", "/r/passwordless.cfg", "/r/keyboard.yaml", "/r/aws/config.py"),
    ],
)
def test_a_name_that_merely_sounds_like_one_is_not(path: str) -> None:
    assert not looks_secret(path, SUFFIXES)


@pytest.mark.parametrize(
    "content",
    [
        b"key = '''-----BEGIN RSA PRIVATE KEY-----\nMII",
        b"-----BEGIN OPENSSH PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----",
        b"TOKEN = 'ghp_" + b"a1" * 18 + b"'",
        b"AWS = 'AKIA" + b"ABCD" * 4 + b"'",
        b"HF = 'hf_" + b"aB" * 17 + b"'",
    ],
)
def test_an_unmistakable_secret_in_the_content_is_recognised(content: bytes) -> None:
    assert holds_secret(b"import os\n" + content)


def test_public_keys_and_hashes_are_no_secrets() -> None:
    assert not holds_secret(b"-----BEGIN PUBLIC KEY-----\n" + b"deadbeef" * 40)


def test_secrets_are_named_and_left_out_of_the_snapshot(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", repo], check=True)
    (repo / "train.py").write_text("x")
    (repo / ".env").write_text("PASSWORD=hunter2")
    (repo / "secrets.py").write_text("PASSWORD='hunter2'")
    (repo / "inline.py").write_text("KEY = '''-----BEGIN PRIVATE KEY-----\nhunter2'''")
    probe = GitProbe.start(os.fspath(repo))
    status = probe.result()
    probe.close()
    assert status is not None
    taken = take_snapshot(
        status,
        project=os.fspath(repo),
        objects_dir=os.fspath(tmp_path / "objects"),
        known_output=lambda path: False,
        source_suffixes=SUFFIXES,
    )
    assert taken.files == (f"{repo}/train.py",)
    assert taken.left_out == (f"{repo}/.env", f"{repo}/inline.py", f"{repo}/secrets.py")
    stored = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert len(stored) == 1
    assert b"hunter2" not in stored[0].read_bytes()


def test_code_that_is_a_secret_still_makes_the_tree_dirty(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "secrets.py").write_text("x")
    probe = GitProbe.start(os.fspath(tmp_path))
    status = probe.result()
    probe.close()
    assert status is not None
    assert is_dirty(status, known_output=lambda path: False, source_suffixes=SUFFIXES)


def test_earlier_outputs_are_asked_about_only_when_they_would_be_source() -> None:
    asked: list[str] = []

    def known(path: str) -> bool:
        asked.append(path)
        return True

    found = sort_untracked(
        ["/r/a.py", "/r/b.csv", "/r/.env", "/r/.roar/c.py"], "/r", known, SUFFIXES
    )
    assert asked == ["/r/a.py"]
    assert (found.outputs, found.sources, found.secrets) == (("/r/a.py",), (), ("/r/.env",))
