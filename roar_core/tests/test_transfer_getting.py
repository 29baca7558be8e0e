"""Fetching: ranges at once, whatever the server does in the middle, and nothing half there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from roar_core.config.layers import load
from roar_core.errors import AlreadyThereError, RoarError, UsageError
from roar_core.testing.web_server import WebServer, web_server
from roar_core.transfer import fetching, getting, patience
from roar_core.transfer.crew import Crew
from roar_core.transfer.fetching import Fetched
from roar_core.transfer.getting import GetPlan, GetWishes, fetch_all, look_around, plan_get
from roar_core.transfer.https import HttpsTransfer
from roar_core.transfer.parts import Part, part_path
from roar_core.transfer.schemes import Transfers

RANGE = 256 << 10
CONTENT = os.urandom(5 * RANGE + 77)


class Nothing:
    """A database that knows nothing, or the objects it is told."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self.known = known or {}

    def digests_for(self, fingerprints: Any, algorithm: str) -> dict[Any, str]:
        return {}

    def remember(self, rows: Any) -> None:
        list(rows)

    def blake3_of_object(self, url: str, version: str | None, etag: str | None) -> str | None:
        return self.known.get(url)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as serving:
        yield serving


@pytest.fixture(autouse=True)
def _small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "RANGE_BYTES", RANGE)
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.001)


@pytest.fixture
def transfers(tmp_path: Path) -> Iterator[Transfers]:
    found = Transfers.find(tmp_path, load(None, None, {}))
    yield found
    web = found.of("https://x")
    assert isinstance(web, HttpsTransfer)
    web.close()


def fetched(
    plan: GetPlan,
    asked: GetWishes,
    done: list[Fetched] | None = None,
    algorithms: tuple[str, ...] = ("blake3",),
) -> Crew:
    """Who has fetched all of a plan; what came is added to `done`."""
    crew = Crew()
    fetch_all(
        *(plan, asked, crew),
        algorithms=algorithms,
        done=[] if done is None else done,
        advance=lambda count, files: None,
        tick=lambda: None,
    )
    return crew


class Getter:
    """What `roar get` does, in this process."""

    def __init__(self, transfers: Transfers, cwd: Path) -> None:
        self.transfers = transfers
        self.cwd = cwd

    def __call__(
        self, *words: str, dest: str | None = None, known: Nothing | None = None, **wishes: Any
    ) -> tuple[list[Fetched], list[RoarError]]:
        asked = GetWishes(words, str(self.cwd), dest, **wishes)
        fetches = plan_get(asked, self.transfers)
        names = ("blake3", "sha256")
        plan = look_around(fetches, asked, known or Nothing(), Crew(), algorithms=names)
        getting.require_room(plan)
        done = list[Fetched]()
        return done, fetched(plan, asked, done, names).failures


@pytest.fixture
def get(transfers: Transfers, tmp_path: Path) -> Getter:
    (tmp_path / "cwd").mkdir()
    return Getter(transfers, tmp_path / "cwd")


def left_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_large_object_is_read_in_ranges(server: WebServer, get: Getter) -> None:
    done, failures = get(server.give("/a.bin", CONTENT))
    assert (get.cwd / "a.bin").read_bytes() == CONTENT
    assert not failures
    assert done[0].digests["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert len({asked for _, asked in server.asked}) == 7
    assert left_in(get.cwd) == ["a.bin"]


@pytest.mark.parametrize("size", [0, 1, RANGE, RANGE + 1])
def test_sizes_at_the_edges(server: WebServer, get: Getter, size: int) -> None:
    get(server.give("/a.bin", CONTENT[:size]))
    assert (get.cwd / "a.bin").read_bytes() == CONTENT[:size]


def test_a_connection_that_ends_in_the_middle_is_gone_on_with(
    server: WebServer, get: Getter
) -> None:
    url = server.give("/a.bin", CONTENT)
    server.fail("/a.bin")
    for _ in range(12):
        server.fail("/a.bin", cut_after=RANGE // 2)
    _, failures = get(url)
    assert not failures
    assert (get.cwd / "a.bin").read_bytes() == CONTENT


def test_without_ranges_it_begins_again(server: WebServer, get: Getter) -> None:
    url = server.give("/a.bin", CONTENT, ranges=False)
    server.fail("/a.bin")
    server.fail("/a.bin", cut_after=RANGE)
    _, failures = get(url)
    assert not failures
    assert (get.cwd / "a.bin").read_bytes() == CONTENT


def test_what_was_whole_is_not_read_again(server: WebServer, get: Getter) -> None:
    url = server.give("/a.bin", CONTENT)
    server.fail("/a.bin")
    server.fail("/a.bin")
    for _ in range(80):
        server.fail("/a.bin", status=503)
    _, failures = get(url)
    assert "503" in str(failures[0])
    assert left_in(get.cwd) == sorted(
        [os.path.basename(part_path("a.bin")), os.path.basename(part_path("a.bin")) + ".ranges"]
    )
    server.faults.clear()
    server.asked.clear()
    done, failures = get(url)
    assert not failures
    assert (get.cwd / "a.bin").read_bytes() == CONTENT
    assert done[0].digests["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert 2 <= len(server.asked) < 7
    assert left_in(get.cwd) == ["a.bin"]


def test_the_bytes_of_two_versions_are_never_mixed(server: WebServer, get: Getter) -> None:
    url = server.give("/a.bin", CONTENT)
    server.fail("/a.bin")
    server.fail("/a.bin")
    for _ in range(80):
        server.fail("/a.bin", status=503)
    get(url)
    server.faults.clear()
    server.give("/a.bin", CONTENT[::-1])
    _, failures = get(url)
    assert not failures
    assert (get.cwd / "a.bin").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("etag", [None, ""])
def test_an_object_that_changes_meanwhile_is_refused(
    server: WebServer, get: Getter, etag: str | None
) -> None:
    dated = {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    url = server.give("/a.bin", CONTENT, etag=etag, headers=dated)
    asked = GetWishes((url,), str(get.cwd))
    fetches = plan_get(asked, get.transfers)
    dated = {"Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}
    server.give("/a.bin", CONTENT[::-1], etag=etag, headers=dated)
    plan = look_around(fetches, asked, Nothing(), Crew(), algorithms=("blake3",))
    crew = fetched(plan, asked)
    assert "changed" in str(crew.failures[0])
    assert not (get.cwd / "a.bin").exists()


def test_a_length_that_is_a_lie_leaves_nothing(server: WebServer, get: Getter) -> None:
    url = server.give("/a.bin", CONTENT, ranges=False)
    for _ in range(20):
        server.fail("/a.bin", length=len(CONTENT) + 9)
    _, failures = get(url)
    assert len(failures) == 1
    assert left_in(get.cwd) == []
    server.faults.clear()
    server.fail("/a.bin", length=len(CONTENT) - 9)
    _, failures = get(url)
    assert failures
    assert left_in(get.cwd) == []


def test_a_size_nobody_tells_is_found_out(server: WebServer, get: Getter) -> None:
    chunked = b"5\r\n12345\r\n0\r\n\r\n"
    for _ in range(2):
        server.fail("/a.bin", status=200, headers={"Transfer-Encoding": "chunked"}, body=chunked)
    done, failures = get(f"{server.url}/a.bin")
    assert not failures
    assert (done[0].source.size, (get.cwd / "a.bin").read_bytes()) == (5, b"12345")


def test_other_bytes_than_the_digest_says_are_thrown_away(server: WebServer, get: Getter) -> None:
    url = server.give("/a.bin", CONTENT)
    _, failures = get(url, wanted={"sha256": "0" * 64})
    assert "not sha256:0000" in str(failures[0])
    assert left_in(get.cwd) == []
    _, failures = get(url, wanted={"sha256": hashlib.sha256(CONTENT).hexdigest()})
    assert not failures


def test_the_store_s_own_digest_is_checked(server: WebServer, get: Getter) -> None:
    digest = "sha-256=:" + "A" * 43 + "=:"
    url = server.give("/a.bin", CONTENT, headers={"Repr-Digest": digest})
    _, failures = get(url)
    assert "expected" in str(failures[0])


def test_the_same_bytes_are_not_fetched_twice(server: WebServer, get: Getter) -> None:
    url = server.give("/a.bin", CONTENT)
    get(url)
    (get.cwd / "a.bin").chmod(0o400)
    done, failures = get(url)
    assert (done, failures) == ([], [])


def test_other_bytes_are_replaced_only_by_force(server: WebServer, get: Getter) -> None:
    url = server.give("/a.bin", CONTENT)
    (get.cwd / "a.bin").write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(AlreadyThereError, match=r"a\.bin is there already with other bytes"):
        get(url)
    get(url, force=True)
    assert (get.cwd / "a.bin").read_bytes() == CONTENT


def test_what_a_job_knows_of_an_object_spares_reading_it(server: WebServer, get: Getter) -> None:
    url = server.give("/a.bin", CONTENT)
    done, _ = get(url)
    server.asked.clear()
    get(url, known=Nothing({url: done[0].digests["blake3"]}))
    assert len(server.asked) == 1


def test_a_file_that_comes_meanwhile_is_not_replaced(server: WebServer, get: Getter) -> None:
    url = server.give("/a.bin", CONTENT)
    asked = GetWishes((url,), str(get.cwd))
    plan = look_around(
        plan_get(asked, get.transfers), asked, Nothing(), Crew(), algorithms=("blake3",)
    )
    (get.cwd / "a.bin").write_bytes(b"mine")
    crew = fetched(plan, asked)
    assert "meanwhile" in str(crew.failures[0])
    assert (get.cwd / "a.bin").read_bytes() == b"mine"


def test_two_roars_do_not_write_one_file(server: WebServer, get: Getter) -> None:
    url = server.give("/a.bin", CONTENT)
    [fetch] = plan_get(GetWishes((url,), str(get.cwd)), get.transfers)
    part = Part(fetch.target, fetch.source, keeps_ranges=True)
    _, failures = get(url)
    part.close()
    assert "another roar is fetching" in str(failures[0])


def test_no_link_leads_out_of_the_target(get: Getter, tmp_path: Path) -> None:
    (tmp_path / "set/sub").mkdir(parents=True)
    (tmp_path / "set/sub/x").write_text("x")
    (tmp_path / "set/y").write_text("y")
    (tmp_path / "outside").mkdir()
    (get.cwd / "into").mkdir()
    (get.cwd / "into/sub").symlink_to(tmp_path / "outside")
    done, failures = get(f"{tmp_path}/set", dest="into")
    assert "leads out" in str(failures[0])
    assert [os.path.basename(each.target) for each in done] == ["y"]
    assert left_in(tmp_path / "outside") == []


@pytest.mark.parametrize("name", ["a%00b", "%2e%2e", ""])
def test_an_object_whose_name_is_none_needs_one(server: WebServer, get: Getter, name: str) -> None:
    url = server.give(f"/x/{name}", b"bytes")
    with pytest.raises(RoarError, match="-o NAME"):
        get(url)
    get(url, dest="named", is_file=True)
    assert (get.cwd / "named").read_bytes() == b"bytes"


def test_where_files_go(get: Getter, tmp_path: Path) -> None:
    for name in ("set/sub/x", "set/y", "one.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (get.cwd / "there").mkdir()
    cases: list[tuple[tuple[str, ...], str | None, list[str]]] = [
        (("set",), None, ["set/sub/x", "set/y"]),
        (("set",), "new", ["new/sub/x", "new/y"]),
        (("one.txt",), None, ["one.txt"]),
        (("one.txt",), "there", ["there/one.txt"]),
        (("one.txt",), "new/", ["new/one.txt"]),
        (("one.txt",), "two.txt", ["two.txt"]),
        (("set", "one.txt"), "all", ["all/one.txt", "all/sub/x", "all/y"]),
    ]
    for names, dest, expected in cases:
        wishes = GetWishes(tuple(f"{tmp_path}/{name}" for name in names), str(get.cwd), dest)
        targets = [os.path.relpath(f.target, get.cwd) for f in plan_get(wishes, get.transfers)]
        assert sorted(targets) == expected


def test_a_limit_takes_the_first_by_url(get: Getter, tmp_path: Path) -> None:
    for name in ("c", "a", "b"):
        (tmp_path / name).write_text(name)
    done, _ = get(f"{tmp_path}/", dest="to", limit=2)
    assert sorted(os.path.basename(each.target) for each in done) == ["a", "b"]


def test_no_two_objects_become_one_file(get: Getter, tmp_path: Path) -> None:
    for name in ("one/x", "two/x"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
    with pytest.raises(RoarError, match=r"one/x and .*two/x would both become .*to/x"):
        get(f"{tmp_path}/one", f"{tmp_path}/two", dest="to")


def test_a_login_in_a_url_is_refused_and_not_repeated(get: Getter) -> None:
    with pytest.raises(UsageError, match="login") as raised:
        get("https://me:CANARY-not-a-secret@example.org/x")
    assert "CANARY" not in str(raised.value)


def test_a_scheme_that_nobody_has_is_said_with_its_remedy(get: Getter) -> None:
    with pytest.raises(UsageError, match=r"wandb:// URLs; roar knows file://, .*http"):
        get("wandb://x/y")


def test_one_broken_object_does_not_keep_others_from_coming(server: WebServer, get: Getter) -> None:
    urls = [server.give(f"/{name}", name.encode()) for name in "abcdef"]
    asked = GetWishes(tuple(urls), str(get.cwd))
    fetches = plan_get(asked, get.transfers)
    del server.objects["/c"]
    done = list[Fetched]()
    plan = look_around(fetches, asked, Nothing(), Crew(), algorithms=("blake3",))
    crew = fetched(plan, asked, done)
    assert (len(done), len(crew.failures)) == (5, 1)
    assert left_in(get.cwd) == list("abdef")
