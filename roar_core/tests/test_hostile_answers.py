"""Answers with something of another type at every place: a sentence at most, never a defect."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import pytest

from roar_core.errors import RoarError
from roar_core.registry.labels.documents import tags_in
from roar_core.registry.labels.editing import read
from roar_core.registry.labels.merging import nested
from roar_core.registry.labels.targets import Target
from roar_core.registry.publishing.sending import _both, _Known
from roar_core.registry.resolving.asking import Answers, ask
from roar_core.registry.resolving.checking import Checked
from roar_core.registry.resolving.labelled import TagThere, of_artifact
from roar_core.registry.resolving.protocol import ask_plainly
from roar_core.registry.resolving.translating import registered_by, source_urls
from roar_core.store.label_documents import flattened, users_own

OUT, SESSION = "a1" * 32, "5e" * 32
OTHERS: tuple[Any, ...] = (None, [], {}, -1, 2**70, float("inf"), "\ud800", [1], {"a": None})
# A part of all combinations, in which every place and every value comes up.
_STEP = 5
JOB = {
    "jobUid": "1f" * 16,
    "command": "python x",
    "jobType": "run",
    "stepNumber": 1,
    "startedAt": 1.7e9,
    "durationSeconds": 1.0,
    "exitCode": 0,
    "metadata": json.dumps({"runtime": {"command": ["python", "x"]}, "cwd": "."}),
    "sessionHash": SESSION,
    "inputs": [{"hash": "b2" * 32, "path": "in", "size": 1}],
    "outputs": [{"hash": OUT, "path": "out", "size": 3}],
}
BLOOM = {"bloom_bits": 8, "bloom_hashes": 1, "bloom_filter_base64": "AA=="}
MEMBER = {"path": "p", "kind": "file", "algorithm": "blake3", "digest": OUT, "size": 1}
ARTIFACT = {
    "hash": OUT,
    "size": 3,
    "hashes": [{"algorithm": "sha256", "digest": "d" * 64}],
    "registeredAt": 1.7e9,
    "labels": [{"metadata": {"a": {"b": 1}}}],
    "composite": {"total": 1, "members": [MEMBER], "bloom": BLOOM},
}
WHOLE = {
    "references": [{"reference": OUT, "named": [{"kind": "artifact", "name": OUT}]}],
    "jobs": [JOB],
    "artifacts": [ARTIFACT],
    "sessions": [{"hash": SESSION, "registeredAt": 1.7e9, "owner": "ada"}],
    "truncated": False,
    "nextCursor": None,
}
PLAIN = {
    "hash": OUT,
    "isComposite": True,
    "hashes": [{"algorithm": "blake3", "digest": OUT}],
    "components": [{"relativePath": "p", "componentDigest": OUT, "componentSize": 1}],
    "jobs": [JOB | {"children": [JOB]}],
    "consumers": [{"jobUid": "3f" * 16, "path": "p"}],
}


class Telling:
    """A registry that has one answer."""

    url = "http://registry.test"

    def __init__(self, told: Any) -> None:
        self.told = told

    def get(self, path: str, params: Any = None) -> Any:
        return self.told


def places(told: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield above
    keys = told if isinstance(told, dict) else range(len(told)) if isinstance(told, list) else ()
    for key in keys:
        yield from places(told[key], (*above, key))


def altered(told: Any) -> Iterator[Any]:
    for place in places(told, (0,)):
        for other in OTHERS:
            whole = copy.deepcopy([told])
            at: Any = whole
            for key in place[:-1]:
                at = at[key]
            at[place[-1]] = other
            yield whole[0]


def test_lineage() -> None:
    for told in islice(altered(WHOLE), 0, None, _STEP):
        with suppress(RoarError):
            answers = ask(Telling(told), [OUT], "near")  # type: ignore[arg-type]
            Checked(answers, "/project")
            registered_by(answers, [f"http://registry.test/dag/{SESSION}"])
            source_urls(answers)


def test_lineage_of_a_plain_registry() -> None:
    for told in islice(altered(PLAIN), 0, None, _STEP):
        answers = Answers("http://registry.test")
        with suppress(RoarError):
            ask_plainly(Telling(told), [OUT, "ab"], "near", answers)  # type: ignore[arg-type]
            Checked(answers, "/project")


def test_what_is_registered_already() -> None:
    told = {"errors": [None], "already_registered_session_hashes": [SESSION], "created_count": 1}
    for answer in altered(told):
        with suppress(RoarError):
            _Known().note(answer)
            _Known().note(_both([answer, answer]))


def test_labels() -> None:
    target = Target("session", None, SESSION)
    told = {"version": 1, "metadata": {"a": {"b": 1}}, "registeredAt": 1.7e9, "canEdit": True}
    for answer in altered(told):
        with suppress(RoarError):
            found = read(Telling(answer), target)  # type: ignore[arg-type]
            int((found.registered_at or 0) * 1e9).to_bytes(8)
            found.version.to_bytes(8)
    deep: Any = 1
    for _ in range(900):
        deep = {"a": deep}
    with pytest.raises(RoarError, match="does not tell labels"):
        read(Telling(told | {"metadata": deep}), target)  # type: ignore[arg-type]


def test_tags() -> None:
    value = {"value": "mit", "origin": "user"}
    document = {"license": {"values": [value]}, "bind": {"events": [{"covers": {"a": ["b"]}}]}}
    for told in altered(document):
        assert all(tag.kind == "license" and type(tag.value) is str for tag in tags_in(told))
    inherited = value | {"origin": "system"}
    doubled = {"license": {"values": [value, 1, inherited]}, "bind": {"values": [value]}}
    answers = Answers("http://registry.test")
    answers.artifacts[OUT] = {"labels": [{"metadata": {"tag": doubled}}]}
    there = of_artifact(answers, OUT)
    assert there is not None
    assert there.tags == (TagThere("license", "mit", is_inherited=True),)


def test_labels_of_roar_itself_are_not_written_under_another_spelling() -> None:
    told = {"tag.license": 1, "roar": {"x": 1}, "dataset.type": "x", "team": "a"}
    assert users_own(nested(dict(flattened(told)))) == {"team": "a"}
    assert users_own({"dataset": 5, "team": "a"}) == {"team": "a"}
