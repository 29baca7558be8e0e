"""Whatever a registry answers, each command says it in one sentence, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs
import pytest
from between import Between, Instead, standing_between
from machines import Machine, edge, new_machine, record, record_work
from registrants import somebody
from test_label_sync import InProcess

from roar_core.registry.connection import Connection

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

PAGE = b"<!doctype html><title>Gateway</title>"
# What stands in each sentence.
ANSWERS = {
    "401": (Instead(401), "does not know who asks"),
    "403": (Instead(403), "does not allow this"),
    "404": (Instead(404), ""),
    "409": (Instead(409), "has something else already"),
    "413": (Instead(413), "takes nothing this large"),
    "429": (Instead(429, retry_after="90"), "try in 90 s"),
    "500": (Instead(500), "failed (HTTP 500)"),
    "502": (Instead(502), "failed (HTTP 502)"),
    "page": (Instead(200, "text/html", PAGE), "a web page"),
    "refusing page": (Instead(403, "text/html", PAGE), "a web page"),
    "no JSON": (Instead(200, content=b"{"), "no JSON"),
    "a list": (Instead(200, content=b"[1]"), ""),
    "nothing": (Instead(200, content=b""), ""),
    "silence": (Instead(0), "cannot be reached"),
    "held": (Instead(0, is_held=True), "does not answer in time"),
}
UNKNOWN = "ab" * 32
# Those that need the registry, and those that tell what is recorded here without it.
NEED = (
    ("login",),
    ("login", "--token-file", "token"),
    ("auth", "status"),
    ("scope", "list"),
    ("scope", "use", "lab/cats"),
    ("register", "-y"),
    ("label", "sync", "-y"),
    ("label", "set", "@2", "b=1", "--remote"),
    ("label", "history", "@2", "--remote"),
    ("show", UNKNOWN, "--remote"),
    ("dag", "--session", UNKNOWN, "--remote"),
    ("diff", UNKNOWN, "@2", "--remote"),
    ("reproduce", UNKNOWN, "--remote"),
    ("registry", "verify"),
)
DO_WITHOUT = (
    ("whoami",),
    ("register", "--dry-run"),
    ("show", "@2", "--remote"),
    ("lineage", "@2", "--remote"),
    ("impact", "@1", "--remote"),
    ("inputs", "@2", "--remote"),
    ("why", "clean.csv", "model.bin", "--remote"),
    ("diff", "@1", "@2", "--remote"),
    ("dag", "--remote"),
    ("logout",),
)


@attrs.frozen
class Work:
    """A machine whose work is registered, but for its newest job and label, and what is between."""

    machine: Machine
    between: Between


@pytest.fixture(scope="module")
def work(shared: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    with standing_between(shared.url) as between:
        folder = tmp_path_factory.mktemp("answers") / "one"
        made = new_machine(folder, between.url, ROAR_TOKEN=somebody(shared).secret)
        machine = InProcess(made.root, made.environ)
        record_work(machine)
        assert machine.roar("register", "-y").exit_code == 0
        record(machine, "python", "x.py", writes=(edge(machine.project, "new.bin", b"new"),))
        assert machine.roar("label", "set", "@2", "a=1").exit_code == 0
        (machine.project / "token").write_text("no-token-of-anybody")
        yield Work(machine, between)
        # After all that, nothing was lost: both go where they were to go.
        between.instead = None
        assert "registered 1 job" in machine.roar("register", "-y").stdout
        assert "there + a=1" in machine.roar("label", "sync", "-y").stdout


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Waits are asked for and not waited; how long they are is tested elsewhere.

    Nor is a registry that never answers waited for; one that does has all the time it needs.
    """
    defaults = Connection.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "pause", lambda _: None)
    if "name" in request.fixturenames and request.getfixturevalue("name") == "held":
        monkeypatch.setitem(defaults, "read_s", 0.05)


@pytest.fixture(autouse=True)
def left_alone(leaves_nothing_behind: None, work: Work) -> Iterator[None]:
    """The proxy runs in this process: its sockets are closed before anybody counts them."""
    yield
    work.between.wait_until_left()


@pytest.mark.parametrize("name", ANSWERS)
def test_one_sentence_and_nothing_lost(work: Work, name: str) -> None:
    work.between.instead, words = ANSWERS[name]
    for command in NEED:
        said = work.machine.roar(*command)
        told = f"{name}: {' '.join(command)}: {said.stderr}"
        if command[:2] == ("label", "history") and name == "404":
            assert "has no labels" in said.stderr, told
            continue
        assert said.exit_code in (1, 3), told
        assert "defect" not in said.stderr, told
        assert "Traceback" not in said.stderr, told
        lines = [line for line in said.stderr.splitlines() if "asked without a name" not in line]
        # What `label sync` may not change it tells for each session.
        assert len(lines) == 1, told
        assert words in lines[0], told
        assert lines[0].startswith("roar: "), told
    for command in DO_WITHOUT:
        said = work.machine.roar(*command)
        told = f"{name}: {' '.join(command)}: {said.stderr}"
        assert said.exit_code == 0, told
        assert said.stdout or command == ("logout",), told
        assert "defect" not in said.stderr, told


def test_a_refused_sign_in_and_a_refused_change_say_what_helps(work: Work) -> None:
    helps = {
        ("login",): {"401": "--token-file FILE", "409": "--token-file FILE", "404": "by a code"},
        ("login", "--token-file", "token"): {"401": "get another", "404": "is registry.url"},
        ("label", "sync", "-y"): {"401": "ROAR_TOKEN must", "409": "run it again"},
        ("show", UNKNOWN, "--remote"): {"401": "ROAR_TOKEN must"},
    }
    for command, answers in helps.items():
        for name, words in answers.items():
            work.between.instead = ANSWERS[name][0]
            said = work.machine.roar(*command)
            assert words in said.stderr, f"{name}: {' '.join(command)}: {said.stderr}"


def test_what_may_not_be_changed_is_not_said_to_be_the_same(work: Work) -> None:
    work.between.instead = ANSWERS["403"][0]
    said = work.machine.roar("label", "sync", "-y")
    assert said.exit_code == 1
    assert said.stderr.count("stay as they are") == 1
    assert "are the same" not in said.stderr


def test_labels_too_large_for_one_request_are_sent_in_several(work: Work, shared: Registry) -> None:
    work.between.instead = None
    work.between.most_bytes = 600
    try:
        said = work.machine.roar("label", "sync", "--dry-run")
    finally:
        work.between.most_bytes = 1 << 30
    assert said.exit_code == 0, said.stderr
    assert "there + a=1" in said.stdout
