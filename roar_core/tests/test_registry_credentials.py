"""Which registry is meant, and what is kept about it in the user's own file."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

from roar_core.config.layers import load
from roar_core.errors import ConfigError
from roar_core.registry.address import address_of, normalised
from roar_core.registry.credentials import CredentialFile, KnownKey, Login, Record, User

URL, OTHER = "https://one.test", "https://two.test:8443"
LOGIN = Login(
    access_token="canary-not-a-real-token",
    refresh_token="canary-nor-this",
    expires_at_s=2e9,
    refresh_expires_at_s=3e9,
    user=User("7", "ada", "ada@one.test"),
)


@pytest.fixture
def file(tmp_path: Path) -> CredentialFile:
    return CredentialFile.of({"HOME": str(tmp_path)})


def keep(file: CredentialFile, url: str, record: Record) -> None:
    with file.changing(url, time.time()) as change:
        change.keep(record)


def content(file: CredentialFile) -> dict[str, Any]:
    assert file.path is not None
    return dict(json.loads(file.path.read_text()))


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        ("https://one.test/", URL),
        ("https://ONE.test:443/api/v1/", URL),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("http://one.test", None),
        ("https://one.test/x", None),
        ("https://one.test/?q", None),
        ("https://one.test/#f", None),
        ("https://ada:pw@one.test", None),
        ("https://", None),
        ("one.test", None),
        ("https://one.test:x", None),
        ("https://one\n.test", None),
        ("file:///etc", None),
        ("", None),
    ],
)
def test_a_registry_has_one_spelling(stated: str, meant: str | None) -> None:
    assert normalised(stated) == meant
    config = load(None, None, {}, {"registry.url": stated})
    if meant is None:
        with pytest.raises(ConfigError, match=r"registry\.url"):
            address_of(config, {})
        with pytest.raises(ConfigError, match="--url"):
            address_of(config, {}, stated)
    else:
        assert address_of(config, {}).url == address_of(config, {}, stated).url == meant


def test_who_named_a_registry_is_known(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path / "home")}
    roar_dir = tmp_path / ".roar"
    own = tmp_path / "home/.config/roar/global.toml"
    for folder in (roar_dir, own.parent):
        folder.mkdir(parents=True)

    def is_users_choice(environ: dict[str, str] = environ) -> bool:
        return address_of(load(tmp_path, roar_dir, environ), environ).is_users_choice

    text = '[registry]\nurl = "https://one.test"\n'
    assert is_users_choice()
    own.write_text(text)
    assert is_users_choice()
    for brought in (tmp_path / "roar.toml", roar_dir / "config.toml"):
        brought.write_text(text)
        assert not is_users_choice()
        assert is_users_choice(environ | {"ROAR_REGISTRY__URL": URL})
        brought.unlink()


def test_registries_are_kept_side_by_side(file: CredentialFile) -> None:
    key = KnownKey(fingerprint="SHA256:x", user=User("9", "bob"), is_allowed=True)
    keep(file, URL, Record(LOGIN))
    keep(file, OTHER, Record(None, key))
    now = time.time()
    assert (file.record(URL, now), file.record(OTHER, now)) == (Record(LOGIN), Record(None, key))
    assert file.urls() == [URL, OTHER]
    assert file.record("https://three.test", now) == Record()
    keep(file, URL, Record())
    assert file.urls() == [OTHER]
    assert "canary" not in json.dumps(content(file)) + repr(LOGIN)


def test_what_others_wrote_stays(file: CredentialFile) -> None:
    assert file.path is not None
    file.path.parent.mkdir(parents=True)
    before = {"version": 1, "access_token": "flat", "x": [1], "registries": {URL: {"new": 1}}}
    file.path.write_text(json.dumps(before))
    keep(file, URL, Record(LOGIN))
    assert content(file)["registries"][URL].pop("new") == 1
    keep(file, URL, Record())
    assert content(file) == before


def test_only_the_user_can_read_it(file: CredentialFile, tmp_path: Path) -> None:
    keep(file, URL, Record(LOGIN))
    assert file.path is not None
    modes = [path.stat().st_mode & 0o777 for path in (file.path, file.path.parent)]
    assert modes == [0o600, 0o700]
    file.path.chmod(0o644)
    file.record(URL, 0)
    assert file.path.stat().st_mode & 0o777 == 0o600
    real = file.path.rename(tmp_path / "dotfiles")
    file.path.symlink_to(real)
    keep(file, OTHER, Record(LOGIN))
    assert file.path.is_symlink()
    assert json.loads(real.read_text())["registries"].keys() == {URL, OTHER}


def test_nothing_is_lost_when_many_write_at_once(file: CredentialFile) -> None:
    urls = [f"https://r{number}.test" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda url: keep(file, url, Record(LOGIN)), urls))
    assert file.urls() == sorted(urls)


@pytest.mark.parametrize("text", ["{", "[]", "\xff", "[" * 99999])
def test_a_file_that_is_none_is_said_to_be(file: CredentialFile, text: str) -> None:
    assert file.path is not None
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"auth\.json"):
        file.record(URL, 0)
    assert file.path.read_bytes() == text.encode("latin-1")


@pytest.mark.parametrize(
    "table", [None, [], {"login": []}, {"login": {"access_token": "a b"}}, {"key": {"user": 1}}]
)
def test_a_table_that_is_none_counts_as_nothing(file: CredentialFile, table: object) -> None:
    assert file.path is not None
    file.path.parent.mkdir(parents=True)
    file.path.write_text(json.dumps({"registries": {URL: table}}))
    assert file.record(URL, 0) == Record()


def test_without_a_home_nothing_is_kept() -> None:
    file = CredentialFile.of({})
    assert file.record(URL, 0) == Record()
    with pytest.raises(ConfigError, match="XDG_CONFIG_HOME"):
        keep(file, URL, Record(LOGIN))


def test_the_end_of_a_token_is_read_in_every_way_that_servers_tell_it() -> None:
    told = LOGIN.document() | {"expires_in": 60}
    login = Login.from_document(told, 1000.0)
    assert login == attrs.evolve(LOGIN, expires_at_s=1060.0)
    for text, at_s in (
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:09", 9),
        ("soon", None),
    ):
        found = Login.from_document({"token": "t", "expires_at": text}, 5.0)
        assert (found and found.expires_at_s) == at_s


@pytest.mark.parametrize("lasts_s", [1e308, float("inf"), float("nan"), -1e300])
def test_a_token_that_lasts_for_ever_is_kept_without_its_end(
    file: CredentialFile, lasts_s: float
) -> None:
    found = Login.from_document({"access_token": "canary", "expires_in": lasts_s}, time.time())
    assert found is not None
    keep(file, URL, Record(found))
    kept = file.record(URL, time.time()).login
    assert kept is not None
    assert kept.expires_at_s is None


def test_a_folder_that_a_link_leads_to_keeps_its_mode(tmp_path: Path, file: CredentialFile) -> None:
    elsewhere = tmp_path / "dotfiles"
    elsewhere.mkdir(mode=0o755)
    assert file.path is not None
    file.path.parent.mkdir(parents=True)
    file.path.symlink_to(elsewhere / "auth.json")
    keep(file, URL, Record(LOGIN))
    assert elsewhere.stat().st_mode & 0o777 == 0o755
    assert (elsewhere / "auth.json").stat().st_mode & 0o777 == 0o600
