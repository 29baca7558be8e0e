"""Lineage told whole, in one answer, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lineages import CLEAN, DATASET, MODEL, PARTS, RAW, SCORE, VAST, register_all, uid

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


@pytest.fixture(scope="module")
def lineage(shared: Registry) -> tuple[Registry, dict[str, str]]:
    return shared, register_all(shared)


def asked(registry: Registry, of: str, direction: str = "near", **more: Any) -> dict[str, Any]:
    params = {"of": of, "direction": direction} | more
    answer = registry.client.get("/api/v1/graph/whole", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def jobs_in(told: dict[str, Any]) -> set[str]:
    return {job["jobUid"] for job in told["jobs"]}


def uids(*names: str) -> set[str]:
    return {uid(name) for name in names}


def test_what_something_came_from_is_told_with_every_edge(
    lineage: tuple[Registry, dict[str, str]],
) -> None:
    registry, sessions = lineage
    told = asked(registry, SCORE, "upstream")
    assert jobs_in(told) == uids("prepare", "train", "evaluate")
    train = next(job for job in told["jobs"] if job["jobUid"] == uid("train"))
    assert [edge["hash"] for edge in train["outputs"]] == [MODEL]
    assert {(edge["algorithm"], edge["hash"]) for edge in train["inputs"]} == {
        ("blake3", CLEAN),
        ("composite-blake3", DATASET),
    }
    assert [session["hash"] for session in told["sessions"]] == [sessions["first"]]
    known = {artifact["hash"]: artifact for artifact in told["artifacts"]}
    assert known[RAW]["sourceUrl"] == "s3://bucket/raw.csv"
    assert [one["algorithm"] for one in known[RAW]["hashes"]] == ["sha256"]
    assert known[MODEL]["labels"][0]["metadata"]["stage"] == "released"
    assert [member["digest"] for member in known[DATASET]["composite"]["members"]] == PARTS
    assert CLEAN not in known  # nothing to be told beyond what the edges say
    assert not told["truncated"]


def test_what_came_of_something_and_who_is_near_it(
    lineage: tuple[Registry, dict[str, str]],
) -> None:
    registry, sessions = lineage
    assert jobs_in(asked(registry, CLEAN, "downstream")) == uids("train", "evaluate")
    assert jobs_in(asked(registry, CLEAN)) == uids("prepare", "train")
    assert jobs_in(asked(registry, uid("train"))) == uids("prepare", "train")
    assert jobs_in(asked(registry, sessions["second"])) == uids("again")
    assert jobs_in(asked(registry, f"{RAW},{uid('again')}")) == uids("prepare", "again")
    assert asked(registry, sessions["first"], "builds")["jobs"] == []


def test_a_dataset_of_which_only_the_filter_is_known_is_told_by_it(
    lineage: tuple[Registry, dict[str, str]],
) -> None:
    registry, _ = lineage
    (vast,) = asked(registry, VAST)["artifacts"]
    assert vast["composite"]["members"] is None
    assert vast["composite"]["total"] == 50
    assert vast["composite"]["bloom"]["bloom_bits"] > 0


def test_a_reference_may_be_a_beginning_unknown_or_too_wide(
    lineage: tuple[Registry, dict[str, str]],
) -> None:
    registry, _ = lineage
    told = asked(registry, f"{MODEL[:12]},{'0' * 64},word")
    assert [len(one["named"]) for one in told["references"]] == [1, 0, 0]
    assert told["references"][0]["named"][0]["name"] == MODEL
    assert jobs_in(told) == uids("train", "evaluate")
    too_many = ",".join([MODEL] * 101)
    answer = registry.client.get("/api/v1/graph/whole", params={"of": too_many})
    assert answer.status_code == 400


def test_pages_follow_each_other(lineage: tuple[Registry, dict[str, str]]) -> None:
    registry, _ = lineage
    first = asked(registry, SCORE, "upstream", limit=2)
    assert first["truncated"]
    rest = asked(registry, SCORE, "upstream", limit=2, cursor=first["nextCursor"])
    assert not rest["truncated"]
    assert len(first["jobs"]) + len(rest["jobs"]) == 3
    assert jobs_in(first) | jobs_in(rest) == uids("prepare", "train", "evaluate")


def test_all_that_begin_alike_are_candidates(lineage: tuple[Registry, dict[str, str]]) -> None:
    registry, _ = lineage
    alike = ["12345678" + "0" * 56, "12345678" + "1" * 56]
    registry.register(output=alike[0], uid="71" * 16)
    registry.register(output=alike[1], uid="72" * 16)
    told = asked(registry, "12345678")
    assert [one["name"] for one in told["references"][0]["named"]] == alike
    assert told["jobs"] == []
