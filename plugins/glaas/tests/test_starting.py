"""Settings that make no sense, and places where a server cannot start, are named."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from served import served

from roar_glaas.errors import GlaasError
from roar_glaas.serving.hosts import Hosts
from roar_glaas.settings import read_settings


def test_a_network_that_makes_no_sense_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "glaas.toml").write_text("trusted_proxies = ['proxy.example']\n")
    assert "trusted_proxies: 'proxy.example'" in start("--data", tmp_path, "--port", "0")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("public_url", "glaas.example"),
        ("allowed_hosts", "one"),
        ("allowed_hosts", [1]),
        ("port", 70000),
        ("requests_per_minute", -1),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, key: str, value: Any) -> None:
    (tmp_path / "glaas.toml").write_text(f"{key} = {json.dumps(value)}\n")
    with pytest.raises(GlaasError, match=key):
        Hosts(read_settings(tmp_path, {}))


def test_lists_come_from_files_and_variables(tmp_path: Path) -> None:
    (tmp_path / "glaas.toml").write_text("allowed_hosts = ['a', 'b']\n")
    assert read_settings(tmp_path, {}).allowed_hosts == ("a", "b")
    found = read_settings(tmp_path, {"GLAAS_ALLOWED_HOSTS": "c, d"})
    assert found.allowed_hosts == ("c", "d")
    (tmp_path / "glaas.toml").write_text("allowed_hosts = 'a'\n")
    with pytest.raises(GlaasError, match="list of strings"):
        read_settings(tmp_path, {})


def start(*options: str | Path) -> str:
    """What `glaas serve` says when it cannot: one line."""
    run: list[Any] = [sys.executable, "-m", "roar_glaas.cli", "serve", *options]
    told = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert told.returncode == 1, told.stderr
    (line,) = told.stderr.splitlines()
    return line


def test_it_does_not_start_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be the data directory" in start("--port", "0", "--data", tmp_path / "file")


def test_it_does_not_start_on_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1 port {port}" in start(
            "--port", port, "--data", tmp_path
        )


def test_it_does_not_start_on_the_database_of_a_newer_one(tmp_path: Path) -> None:
    import sqlite3

    with served(tmp_path / "data"):
        pass
    with sqlite3.connect(tmp_path / "data" / "glaas.db") as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    told = start("--port", "0", "--data", tmp_path / "data")
    assert "schema 9999" in told
    assert "install a newer roar-glaas" in told
