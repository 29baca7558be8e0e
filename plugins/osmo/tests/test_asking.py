"""What osmo is asked, what it answers, and what is made of answers that are none."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from roar_core.errors import ConfigError, RoarError
from roar_core.fragments import to_json
from roar_core.model.fragment import TaskFile, TaskFragment
from roar_osmo.client import Osmo, OsmoError
from roar_osmo.command_line import is_submission, queried, understood
from roar_osmo.declared import name_of
from roar_osmo.envelope import belongs_to, opened, placed
from roar_osmo.returned import fetched, in_lines
from roar_osmo.rewrite import Treatment
from roar_osmo.settings import Settings
from roar_osmo.state import Attempt, state_of
from roar_osmo.submitted import is_about_labels, is_refusal, workflow_in
from roar_osmo.workflow import read_workflow


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("osmo workflow submit a.yaml", True),
        ("/opt/bin/osmo --log-level DEBUG workflow submit a.yaml --pool p", True),
        ("osmo workflow submit a.yaml --set x=--dry-run", True),
        ("osmo workflow submit a.yaml --dry-run", False),
        ("osmo workflow submit a.yaml --dry", False),
        ("osmo workflow submit --help", False),
        ("osmo workflow query a-1", False),
        ("osmo data upload workflow submit", False),
        ("osmo", False),
        ("cosmo workflow submit a.yaml", False),
    ],
)
def test_submitting_commands_are_known_by_their_words(words: str, expected: bool) -> None:
    assert is_submission(words.split()) is expected


def test_a_submission_s_words_are_taken_apart_as_osmo_takes_them() -> None:
    words = "osmo workflow submit --set a=1 b=2 --label x=y w.yaml -t json --set-e C=3 -pfast"
    submission = understood(words.split())
    assert submission is not None
    # `--set-e` is what argparse takes for --set-env.
    assert " ".join(submission.dry_run()) == (
        "osmo workflow submit w.yaml --set a=1 b=2 --label x=y -t json --set-e C=3 -pfast --dry-run"
    )
    assert " ".join(submission.of_rendered("r.yaml")) == (
        "osmo workflow submit r.yaml --label x=y -t json --set-e C=3 -pfast"
    )
    for strange in (
        "w.yaml --new-option 3",
        "a.yaml b.yaml",
        "--set w.yaml",
        "w.yaml --pool",
        "-- w",
    ):
        assert understood(["osmo", "workflow", "submit", *strange.split()]) is None
    assert queried(["osmo", "workflow", "query", "a-1", "--verbose"]) == "a-1"
    assert queried(["osmo", "workflow", "query"]) is None


def test_an_id_is_found_in_text_and_in_json() -> None:
    text = "WARNING: old\nWorkflow ID        - w-3\nWorkflow Overview  - https://osmo/w-3\n"
    assert workflow_in(text) == "w-3"
    assert workflow_in('note {x}\n{"name": "w-4",\n "spec": "Workflow ID - x"}\n') == "w-4"
    assert workflow_in("{broken\n") is None
    assert is_refusal("Workflow submit failed:\nno")
    assert not is_refusal("Connection refused")
    assert is_about_labels("osmo: error: unrecognized arguments: --label x=y")


@pytest.fixture
def osmo(tmp_path: Path) -> Any:
    """An osmo that runs a shell script instead."""

    def make(script: str, timeout_s: float = 20) -> Osmo:
        path = tmp_path / "osmo"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return Osmo(str(path), tmp_path, timeout_s)

    return make


def test_an_answer_is_found_among_what_osmo_says(osmo: Any) -> None:
    said = ("WARNING: {New} client", "{broken", "[1]", '{"level": "warning"}', '{"a": 1}', "bye")
    script = "; ".join(f"echo '{line}'" for line in said)
    assert osmo(script).document("a", "x") == {"a": 1}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo '<html>'", "printed no JSON object with 'groups', but '<html>'"),
        ("true", "printed no JSON object with 'groups', but nothing"),
        (
            "echo s3://me:pw@b is shut >&2; exit 1",
            "failed with exit status 1: s3://me:***@b is shut",
        ),
        ("echo some; echo reason >&2; exit 3", "failed with exit status 3: reason"),
        ("kill -9 $$", "failed with exit status -9"),
        ("sleep 600 & wait", "did not answer within 0.5 seconds; see osmo.timeout"),
    ],
)
def test_no_answer_is_one_sentence(osmo: Any, script: str, words: str) -> None:
    timeout_s = 0.5 if "sleep" in script else 20
    with pytest.raises(OsmoError) as caught:
        osmo(script, timeout_s).document("groups", "workflow", "query", "w-1", "--verbose")
    assert str(caught.value) == f"osmo workflow query w-1 {words}"


def test_a_folder_that_is_gone_keeps_nobody_from_asking(tmp_path: Path) -> None:
    assert Osmo("pwd", tmp_path / "gone", 20).text() == "/\n"


def test_an_osmo_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OsmoError, match=r"cannot run 'osmo-3': .*; is osmo installed\?"):
        Osmo("osmo-3", tmp_path, 1).text("x")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"status": 3, "groups": []},
        {"status": "RUNNING", "groups": {}},
        {"status": "RUNNING", "groups": [{"tasks": ["x"]}]},
        {"status": "RUNNING", "groups": [{"tasks": [{"name": "x"}]}]},
        {"status": "RUNNING", "groups": [{"tasks": [{"name": "", "status": "RUNNING"}]}]},
    ],
)
def test_a_state_that_is_none_is_one_sentence(document: Any) -> None:
    with pytest.raises(RoarError, match="osmo workflow query gave"):
        state_of(document)


def test_a_state_is_read_past_what_is_new_or_odd_in_it() -> None:
    task = {"name": "t", "status": "FAILED_NEW_KIND", "retry_id": "x", "exit_code": "x"}
    times = {
        "start_time": "2026-01-01T00:00:00.5",
        "end_time": "2026-01-01T00:00:02Z",
        "pod_name": 3,
    }
    state = state_of(
        {"status": "FAILED_NEW", "groups": [{"tasks": [{**task, **times}]}, None], "new": 1}
    )
    [attempt] = state.attempts
    assert state.has_ended
    assert (attempt.retry, attempt.exit_code, attempt.state) == (0, None, "failed")
    assert attempt.duration_s == 1.5
    odd = {"retry_id": 1 << 70, "exit_code": True, "end_time": "9999-12-31T23:59:59"}
    for start in ("soon", "0001-01-01T00:00:00", 3):
        told = {**task, **odd, "start_time": start}
        [never] = state_of({"status": "FAILED", "groups": [{"tasks": [told]}]}).attempts
        assert never.never_ran
        assert (never.retry, never.exit_code, never.ended_at_ns) == (0, None, None)


def lines_of(content: bytes, size: int = 100) -> list[str]:
    packed = zlib.compress(content)
    text, name = base64.b64encode(packed).decode(), hashlib.sha256(packed).hexdigest()
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    return [f"ROAR1 {name} {at}/{len(parts)} {part}\n" for at, part in enumerate(parts, 1)]


def test_deliveries_are_found_in_any_log() -> None:
    one, two = bytes(range(256)) * 3, b"x" * 10
    first, second = lines_of(one), lines_of(two)
    assert len(first) > 2
    mixed = [
        f"2026/01/01 [t] {line}" for line in [*first[::-1], "ROAR1 nothing\n", *second, *first]
    ]
    incomplete: set[str] = set()
    assert [content for _, content in in_lines(mixed, incomplete)] == [one, two, one]
    # What the task itself said last may have had no end of line.
    [only] = lines_of(two)
    assert [content for _, content in in_lines([f"100%{only}", f"done{only}"], incomplete)] == [
        *(two, two),
    ]
    assert incomplete == set()


def test_what_is_cut_short_or_damaged_is_no_delivery() -> None:
    lines = lines_of(bytes(range(256)) * 3)
    name = lines[0].split()[1]
    bomb = lines_of(b"\0" * (65 << 20), 4000)
    for damaged, is_known in (
        (lines[:-1], True),
        ([lines[0].replace("/", "x/", 1), *lines[1:]], True),
        ([*lines[:-1], lines[-1].replace(lines[-1].split()[3][:8], "AAAAAAAA")], True),
        ([f"ROAR1 {name} 1/1 !!!!\n", f"ROAR1 {name} 0/0 AAAA\n"], False),
        ([f"ROAR1 {name} 1/999999 AAAA\n"], False),
        ([f"ROAR1 {'0' * 64} 1/1 AAAA\n"], True),
        (bomb, True),
    ):
        incomplete: set[str] = set()
        assert list(in_lines(damaged, incomplete)) == []
        assert bool(incomplete) is is_known


FRAGMENT = TaskFragment(
    task="x",
    name="x",
    state="succeeded",
    started_at_ns=50,
    cwd="/work",
    read=(
        *(TaskFile("/data/in/0/a", 1, {"blake3": "1" * 64}), TaskFile("/data/in/1/b", 1)),
        *(TaskFile("/osmo/login/config/token", 1), TaskFile("/etc/passwd", 1)),
    ),
    written=(TaskFile("/data/out/c", 1), TaskFile("/data/out/roar-fragments/x.json", 1)),
)


def enveloped(**changed: Any) -> bytes:
    told = {
        "roar_osmo": 1,
        "workflow": "w-1",
        "task": "t",
        "host": "pod-1",
        "output": "/data/out",
        "inputs": ["/data/in/0", "/data/in/1"],
        "fragment": json.loads(to_json(FRAGMENT)),
    }
    return json.dumps({**told, **changed}).encode()


def test_a_container_s_paths_are_told_apart_from_this_machine_s() -> None:
    text = "{name: t, command: [sh], inputs: [{task: up}, {url: s3://data/}]}"
    [task] = read_workflow(f"workflow: {{name: w, tasks: [{text}]}}", "w.yaml").tasks
    found = placed(opened("n", enveloped()), Attempt("t", 1, "COMPLETED", node="node-3"), task)
    assert [file.path for file in found.read] == [
        "/up/output/a",
        "/t/input/1/b",
        "/t/container/etc/passwd",
    ]
    assert [file.path for file in found.written] == ["/t/output/c"]
    assert {file.node for file in (*found.read, *found.written)} == {"w-1"}
    assert (found.task, found.attempt, found.part, found.cwd) == ("t", 2, "n", "/t/container/work")
    assert (found.where, [each.url for each in found.objects]) == ("node-3", ["s3://data/"])


def test_what_an_object_is_called_has_no_secret_in_it() -> None:
    url = "s3://AKIA:hunter2@data/{{workflow_id}}/a@b/?X-Amz-Signature=deadbeef"
    assert name_of(url, "w-1") == "s3://data/w-1/a@b/?X-Amz-Signature=***"
    with pytest.raises(ConfigError, match=r"osmo\.bucket has a login in it"):
        Settings(bucket="s3://me:hunter2@lineage/team").checked()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000),
        *(
            enveloped(roar_osmo=2),
            enveloped(output=3),
            enveloped(host="\ud800"),
            enveloped(inputs=[1]),
            enveloped(inputs=None),
        ),
        *(enveloped(fragment={}), enveloped(fragment={"roar_fragment": 1, "task": 3})),
    ],
)
def test_what_is_no_envelope_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the words are
        opened("n", content)


def test_an_envelope_belongs_to_the_attempt_that_sent_it() -> None:
    first = Attempt("t", 0, "RESCHEDULED", started_at_ns=10, hosts=("pod-0",))
    second = Attempt("t", 1, "COMPLETED", started_at_ns=60, hosts=("pod-1",))
    other = Attempt("u", 0, "COMPLETED", started_at_ns=40)
    everything = (first, second, other)
    assert belongs_to(opened("n", enveloped()), everything) == second, "its pod's name"
    nameless = opened("n", enveloped(host="elsewhere"))
    assert belongs_to(nameless, everything) == first, "the latest that had begun"
    assert belongs_to(nameless, (second, other)) == second, "there is no other"
    assert belongs_to(nameless, (other,)) is None


def test_of_what_lies_in_storage_only_whole_reports_are_taken(osmo: Any) -> None:
    good, bad = hashlib.sha256(b"{}").hexdigest(), "0" * 64
    script = f"""mkdir -p "$4/a" && cd "$4/a"
    printf {{}} > {good}.json; printf {{}} > {bad}.json; ln -s /etc/passwd {"1" * 64}.json
    truncate -s 100M {"2" * 64}.json; mkdir {"3" * 64}.json"""
    treatment, incomplete = Treatment("t", "output", "s3://b/{{workflow_id}}/"), set[str]()
    found = list(fetched(osmo(script), "w-1", treatment, (), incomplete))
    assert found == [(good, b"{}")]
    assert incomplete == {bad, "2" * 64}
