"""`roar get` as a person has it: real processes, a real server, kills, a full disk, and lineage."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest
from roar_core.testing.web_server import WebServer, web_server

MIB = 1 << 20


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as serving:
        yield serving


def start(project: ProjectUnderTest, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*project.roar_argv, *arguments],
        cwd=project.root,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], sent: signal.Signals) -> str:
    process.send_signal(sent)
    _, words = process.communicate(timeout=60)
    assert process.returncode == -sent
    return words


def test_a_file_has_the_get_as_its_producer(project: ProjectUnderTest, server: WebServer) -> None:
    url = server.give("/data.csv", b"1,2\n")
    got = project.json("get", url)
    assert (got["state"], got["recorded"], got["step"]) == ("succeeded", True, "@1")
    [file] = got["files"]
    assert (file["relative"], file["url"], file["size"], file["moved"]) == (
        "data.csv",
        url,
        4,
        True,
    )
    job = project.json("show", "@1")
    assert (job["kind"], job["command"], job["exit_code"]) == ("get", ["roar", "get", url], 0)
    [source], [target] = job["inputs"], job["outputs"]
    assert (source["kind"], source["path"], source["hash"]) == ("object", url, target["hash"])
    assert source["etag"] == server.objects["/data.csv"].told_etag
    run = project.run("sh", "-c", "cat data.csv > out.csv")
    assert run.job is not None
    assert {edge["producer"] for edge in run.job["inputs"]} == {job["uid"]}
    lineage = project.json("lineage", "out.csv")
    assert [each["uid"] for each in lineage["jobs"]] == [run.job["uid"], job["uid"]]
    assert "data.csv" in project.roar("show", "@1").stdout


def test_who_wrote_the_same_bytes_later_made_neither_the_object_nor_the_file(
    project: ProjectUnderTest, server: WebServer
) -> None:
    url = server.give("/data.csv", b"1,2\n")
    project.json("get", url)
    project.write("own.csv", "3,4\n")
    project.run("cp", "data.csv", "copy.csv")
    project.run("cp", "own.csv", "other.csv")
    for ref in (url, "own.csv"):
        assert project.json("show", ref)["producer"] is None
        assert project.json("lineage", ref)["jobs"] == []
        shown = project.roar("show", ref).stdout
        assert "no recorded job made these bytes" in shown
        assert "same bytes later, by" in shown
    made = project.json("show", "data.csv")["producer"]
    assert (made["step"], made["kind"]) == ("@1", "get")


def test_getting_again_moves_nothing_and_adds_no_job(
    project: ProjectUnderTest, server: WebServer
) -> None:
    url = server.give("/data.csv", b"1,2\n")
    first = project.json("get", url)
    server.asked.clear()
    again = project.json("get", url)
    assert (again["job"], again["recorded"]) == (first["job"], False)
    assert len(server.asked) == 1
    assert "there already, as @1 got it" in project.roar("get", url).stdout
    assert len(project.json("log")["jobs"]) == 1
    # Another place is another job.
    project.json("get", url, "other.csv")
    assert len(project.json("log")["jobs"]) == 2


def test_the_recorded_command_runs_again(project: ProjectUnderTest, server: WebServer) -> None:
    url = server.give("/-odd%20name.csv", b"1,2\n")
    project.roar("get", "--limit", "1", "--tag", "license=mit", url, "sub dir/")
    shown = project.roar("show", "@1").stdout
    [line] = [words for words in shown.splitlines() if words.startswith("  command ")]
    shutil.rmtree(project.root / "sub dir")
    python = " ".join(project.roar_argv)
    again = project.shell(line.strip().removeprefix("command").strip().replace("roar", python, 1))
    assert again.exit_code == 0, again.stdout
    assert os.listdir(project.root / "sub dir") == ["-odd name.csv"]
    assert project.json("show", "@1")["attempt"] == 2
    assert "license=mit" in project.roar("tag", "show", "sub dir/-odd name.csv").stdout


def test_a_kill_in_the_middle_costs_what_was_not_whole(
    project: ProjectUnderTest, server: WebServer
) -> None:
    content = os.urandom(40 * MIB)
    url = server.give("/big.bin", content)
    for come in (2, 0):
        server.fail("/big.bin")
        # The last of the three ranges stands still; the others come, and are there the next time.
        for _ in range(come):
            server.fail("/big.bin")
        server.fail("/big.bin", hold_after=MIB)
        process = start(project, "get", url)
        assert server.held.wait(30)
        ranges = project.root.glob(".roar-part-*.ranges")
        while not any(path.read_bytes().count(b"\n") > 2 for path in ranges):
            ranges = project.root.glob(".roar-part-*.ranges")
        ended(process, signal.SIGKILL)
        server.held.clear()
        server.faults.clear()
        assert not (project.root / "big.bin").exists()
    server.go_on.set()
    server.asked.clear()
    got = project.json("get", url)
    assert got["state"] == "succeeded"
    assert (project.root / "big.bin").read_bytes() == content
    assert len(server.asked) < 4
    states = [job["state"] for job in project.json("log", "--all")["jobs"]]
    assert sorted(states) == ["interrupted", "interrupted", "succeeded"]
    assert sorted(os.listdir(project.root)) == [".roar", "big.bin"]


def test_ctrl_c_says_how_to_go_on(project: ProjectUnderTest, server: WebServer) -> None:
    server.give("/small.bin", b"small")
    url = server.give("/big.bin", bytes(20 * MIB))
    server.fail("/big.bin")
    server.fail("/big.bin", hold_after=MIB)
    process = start(project, "get", f"{server.url}/small.bin", url)
    assert server.held.wait(30)
    while not (project.root / "small.bin").exists():
        pass
    words = ended(process, signal.SIGINT)
    assert f"1 file done; what was begun is kept, and goes on with: roar get {server.url}" in words
    job = project.json("show", "@1")
    assert (job["state"], [edge["relative"] for edge in job["outputs"]]) == (
        "interrupted",
        ["small.bin"],
    )


def test_a_full_disk_is_said_before_or_when_it_is_full(
    project: ProjectUnderTest, server: WebServer
) -> None:
    known = server.give("/big.bin", bytes(8 * MIB))
    chunked = b"".join(b"100000\r\n" + bytes(MIB) + b"\r\n" for _ in range(8)) + b"0\r\n\r\n"
    for _ in range(2):
        server.fail("/any.bin", status=200, headers={"Transfer-Encoding": "chunked"}, body=chunked)
    roar = " ".join(project.roar_argv)
    (project.root / "full").mkdir()
    # Mounted where only these commands see it.
    line = (
        "mount -t tmpfs -o size=4m none full && "
        f"{roar} get {known} full/ ; {roar} get {server.url}/any.bin full/; ls -A full"
    )
    result = project.shell(f"unshare --mount sh -c '{line}'")
    early, late = [words for words in result.stdout.splitlines() if "initialised" not in words]
    assert "8,388,608 bytes are to be fetched" in early
    assert "has room for" in early
    assert "No space left on device" in late
    assert project.json("show", "@1")["state"] == "failed"


def test_many_small_files_and_a_dataset(project: ProjectUnderTest, tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"set/{number % 7}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"set/{number % 7}/{number}.parquet").write_text(str(number))
    got = project.json("get", f"{tmp_path}/set")
    assert len(got["files"]) == 300
    job = project.json("show", "@1")
    assert {edge["kind"] for edge in job["outputs"]} == {"composite"}
    assert sum(edge["composite"]["members"] for edge in job["outputs"]) == 300


def test_names_of_any_bytes(project: ProjectUnderTest, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "odd")
    os.mkdir(folder)
    names = {b"bad\xff\n.txt", b"-rf", b"a?b#c%41", b"\xe9"}
    for name in names:
        with open(os.path.join(folder, name), "wb") as stream:
            stream.write(name)
    got = project.json("get", f"{tmp_path}/odd", "to")
    assert len(got["files"]) == 4
    to = os.fsencode(project.root / "to")
    assert set(os.listdir(to)) == names
    for name in names:
        with open(os.path.join(to, name), "rb") as stream:
            assert stream.read() == name
    assert project.json("get", f"{tmp_path}/odd", "to")["recorded"] is False


def test_what_is_there_is_refused_in_one_sentence(
    project: ProjectUnderTest, server: WebServer
) -> None:
    url = server.give("/data.csv", b"1,2\n")
    project.write("data.csv", "mine")
    refused = project.roar("get", url)
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "data.csv is there already with other bytes; --force replaces it" in refused.stderr
    assert project.read("data.csv") == "mine"
    assert project.json("log")["jobs"] == []
    assert project.roar("get", "--force", url).exit_code == 0
    assert project.read("data.csv") == "1,2\n"


def test_a_dry_run_writes_nothing(project: ProjectUnderTest, server: WebServer) -> None:
    url = server.give("/data.csv", b"1,2\n")
    told = project.roar("get", "--dry-run", url)
    assert f"{url} → {project.root}/data.csv" in told.stdout.replace("->", "→")
    assert os.listdir(project.root) == [".roar"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--hash", "crc:12", "https://127.0.0.1:9/x"), "is no digest"),
        (("-o", "one", "{set}"), "-o names one file"),
        (("--hash", "md5:" + "0" * 32, "{set}"), "--hash is of one file"),
        (("gopher://x/y",), "there is no transfer for gopher://"),
        (("s3://bucket/x",), "proxy_s3"),
        (("nowhere.csv",), "there is no file at file://"),
    ],
)
def test_a_mistake_is_told(
    project: ProjectUnderTest, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "set").mkdir()
    for name in "ab":
        (tmp_path / "set" / name).write_text(name)
    words_given = [word.format(set=tmp_path / "set") for word in arguments]
    told = project.roar("get", *words_given, environ={"ROAR_DISABLE_PLUGINS": "s3"})
    assert told.exit_code in (1, 2)
    assert words in told.stderr
    assert "Traceback" not in told.stderr


def test_reproducing_fetches_again_what_is_gone(
    project: ProjectUnderTest, server: WebServer
) -> None:
    url = server.give("/data.csv", b"1,2\n")
    project.roar("get", url)
    project.run("sh", "-c", "sort data.csv > out.csv")
    server.asked.clear()
    here = project.roar("reproduce", "out.csv", "--run", "-y")
    assert here.exit_code == 0, here.stderr
    assert server.asked == []
    (project.root / "data.csv").unlink()
    (project.root / "out.csv").unlink()
    elsewhere = ("--into", "../elsewhere")
    plan = project.roar("reproduce", "out.csv", *elsewhere)
    assert f"roar get -- {url}" in plan.stdout
    there = project.roar("reproduce", "out.csv", *elsewhere, "--run", "-y")
    assert there.exit_code == 0, there.stderr
    assert server.asked


def test_a_transfer_of_a_plugin_that_fails_is_named(
    project: ProjectUnderTest,
) -> None:
    code = """
from roar_core.hookspecs import hookimpl

class Broken:
    schemes = ("broken",)
    def list(self, url):
        raise ZeroDivisionError("oops")
        yield
    def read(self, source, start, length): ...
    def below(self, url, name): return f"{url}/{name}"
    def put(self, upload): ...

@hookimpl
def roar_transfers(config):
    return [Broken()]
"""
    project.plugins("roar-broken", code, group="roar.transfers")
    told = project.roar("get", "broken://x/y")
    assert told.exit_code == 1
    assert "plugin roar-broken failed while listing broken://x/y: ZeroDivisionError" in told.stderr
