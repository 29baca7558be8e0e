"""The parts of publishing that need no registry: what is shareable, chunks, consent, secrets."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from roar_core.errors import RoarError
from roar_core.identity import BloomFilter, Leaf, tree_hash
from roar_core.registry.publishing.checkout import git_of, shareable
from roar_core.registry.publishing.consent import Consent
from roar_core.registry.publishing.dataset_documents import (
    PLAIN,
    Limits,
    artifact_to_wire,
    dataset_to_wire,
    views_of,
)
from roar_core.registry.publishing.destination import Destination
from roar_core.registry.publishing.pieces import Ability
from roar_core.registry.publishing.plan import plan_of
from roar_core.registry.publishing.preview import preview_of
from roar_core.registry.publishing.tokens import Tokens
from roar_core.registry.publishing.work import Wanted
from roar_core.store.registrations import Receipt

Document = dict[str, Any]


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://git.example.org/a/b.git", "https://git.example.org/a/b.git"),
        ("https://ada:hunter2@git.example.org/b.git", "https://git.example.org/b.git"),
        ("https://***@git.example.org/b.git", "https://git.example.org/b.git"),
        ("ssh://git@git.example.org:22/b.git", "ssh://git@git.example.org:22/b.git"),
        ("git@git.example.org:a/b.git", "git@git.example.org:a/b.git"),
        ("git://git.example.org/b.git", "git://git.example.org/b.git"),
        ("/home/ada/b.git", ""),
        ("../b.git", ""),
        ("file:///home/ada/b.git", ""),
        ("ext::sh -c touch% /tmp/x", ""),
        ("", ""),
    ],
)
def test_only_addresses_that_others_can_use_are_told(remote: str, told: str) -> None:
    assert shareable(remote) == told


def test_the_newest_job_with_a_commit_names_the_checkout() -> None:
    def job(started: str, commit: str | None) -> Document:
        git = {"commit": commit, "branch": "main", "remote": "https://git.example.org/b.git"}
        return {"started_at": started, "git": git}

    jobs = [job("2026-01-02T", "b" * 40), job("2026-01-03T", None), job("2026-01-01T", "a" * 40)]
    assert git_of(jobs).commit == "b" * 40
    assert git_of([]) == ("", "", "")


def destination(visibility: str = "public") -> Destination:
    return Destination(
        registry="https://registry.example.org",
        owner="user:ada",
        visibility=visibility,
        scope=None,
        words="",
        audience="",
    )


def test_consent_to_everybody_is_consent_to_some_but_not_the_other_way(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    consent = Consent.of(environ, "/w/one")
    assert not consent.is_given(destination("private"))
    consent.keep(destination("private"))
    assert consent.is_given(destination("private"))
    assert not consent.is_given(destination("public"))
    consent.keep(destination("public"))
    assert consent.is_given(destination("private"))
    assert Consent.of(environ, "/w/one").is_given(destination("public"))
    other = Consent.of(environ, "/w/other")
    assert (other.is_given(destination("private")), other.is_given(destination("public"))) == (
        True,
        False,
    )
    assert not Consent.of({}, "/w/one").is_given(destination("private"))


def test_a_secret_is_its_users_alone(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    tokens.keep("ab12", "not-a-real-secret")
    path = tmp_path / "registrations" / "ab12"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert tokens.read("ab12") == "not-a-real-secret"
    tokens.forget("ab12")
    tokens.forget("ab12")
    assert tokens.read("ab12") is None
    with pytest.raises(RoarError):
        tokens.keep("../elsewhere", "x")


def test_what_a_registry_does_not_say_it_cannot_do() -> None:
    assert Ability.from_health("down") == Ability(*[False] * 5)
    assert not Ability.from_health({"features": {"registration_sessions": 1}}).anonymous


def artifact(names: list[str]) -> Document:
    members = [(name, f"{number:064x}") for number, name in enumerate(names)]
    root = tree_hash(Leaf(name, "blake3", digest) for name, digest in members).root
    return {
        "hash": f"composite-blake3:{root}",
        "size": 9,
        "kind": "composite",
        "digests": {"composite-blake3": root},
        "composite": {
            "layout": "zarr",
            "members": len(names),
            "listed": True,
            "components": [
                {"path": name, "hash": f"blake3:{digest}", "size": 1, "kind": "file"}
                for name, digest in members
            ],
            "filter": None,
        },
    }


def test_a_dataset_is_cut_to_what_every_registry_takes() -> None:
    names = [f"part-{number:05}" for number in range(1_500)]
    wire = dataset_to_wire(artifact(names), PLAIN)
    assert wire is not None
    assert (wire["component_count_total"], len(json.dumps(wire["components"])) < 90 * 1024) == (
        1_500,
        True,
    )
    stored = wire["membership_index"]["stored_components"]
    assert 0 < stored == len(wire["components"]) < 1_000
    known = BloomFilter.from_wire(wire["membership_index"])
    assert all(known.may_contain("blake3", f"{number:064x}") for number in range(1_500))
    whole = dataset_to_wire(artifact(names), Limits(1_000_000, 1 << 24))
    assert whole is not None
    assert len(whole["components"]) == 1_500


def test_a_member_whose_name_holds_a_secret_is_left_out() -> None:
    wire = dataset_to_wire(artifact(["a", "b?password=hunter2hunter2"]), PLAIN)
    assert wire is not None
    assert [one["relative_path"] for one in wire["components"]] == ["a"]
    assert wire["component_count_total"] == 2


def test_a_view_tells_which_members_were_touched() -> None:
    found = artifact(["a", "b", "c"])
    edge = {
        "hash": found["hash"],
        "composite": {"members": 3, "touched": 1, "whole": False, "bits": "Ag=="},
    }
    (view,) = views_of({"inputs": [edge], "outputs": []}, {found["hash"]: found})
    assert (view["relation"], view["selected_count"], view["parent_total"]) == ("consumes", 1, 3)
    bloom = BloomFilter.from_wire(view["bloom"])
    assert [bloom.may_contain("blake3", f"{n:064x}") for n in range(3)] == [False, True, False]


def test_an_object_known_by_its_etag_alone_is_described_by_it() -> None:
    told = {"hash": "etag:abc-2", "size": 3, "digests": {"etag": "abc-2"}, "composite": None}
    assert artifact_to_wire(told) == {
        "hashes": [{"algorithm": "etag", "digest": "abc-2"}],
        "size": 3,
        "source_type": None,
    }
    assert artifact_to_wire(told | {"hash": "crc:1", "digests": {"crc": "1"}}) is None


def test_consent_that_cannot_be_kept_is_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    consent = Consent.of({"XDG_STATE_HOME": str(tmp_path / "state")}, "/w")
    there = Destination("https://r.test", "anonymous", "public", None, "public", "everybody")
    consent.keep(there)
    assert not consent.is_given(there)


def test_a_secret_goes_into_a_folder_of_our_own_or_nowhere(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (tmp_path / "registrations").symlink_to(tmp_path / "else")
    with pytest.raises(RoarError, match="is a link"):
        Tokens(tmp_path).keep("name", "secret")
    assert not list((tmp_path / "else").iterdir())
    (tmp_path / "registrations").unlink()
    (tmp_path / "registrations").write_text("a file")
    with pytest.raises(RoarError, match="cannot be written"):
        Tokens(tmp_path).keep("name", "secret")
    Tokens(tmp_path).forget("name")


def test_what_is_registered_already_is_not_read() -> None:
    uids = ("a" * 32, "b" * 32)
    wanted = Wanted("@2", uids, lambda: pytest.fail("was read"))
    known = {uid: Receipt(uid, "c" * 64, "public", None) for uid in uids}
    plan = plan_of(wanted, uids, destination(), known, {})
    assert plan.is_done
    assert list(plan.there) == list(reversed(uids))
    assert preview_of(plan).jobs == 0
