"""The collector among strangers: other users, other versions, hostile journals, sudden ends."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from roar_core.journal import Intent, Journal, Kind
from roar_core.testing.processes import wait_for
from roar_core.testing.projects import ProjectUnderTest
from roar_tracer_ebpf import EbpfTracer
from roar_tracer_ebpf.client import Collector
from roar_tracer_ebpf.roard import VERSION
from roar_tracer_ebpf.roard.journal import BOOT_ID

NOBODY = 65534
EBPF = {"ROAR_RUN__TRACER": "ebpf"}


def request(path: str, text: str, *descriptors: int, user: int = 0) -> str:
    """Send one raw packet from a process of its own, as `user`; return the answer."""
    code = """
import array, socket, sys
peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
peer.connect(sys.argv[1])
fds = array.array("i", map(int, sys.argv[3:]))
ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
peer.sendmsg([sys.argv[2].encode() + b"\\0"], ancillary)
print(peer.recv(4096).decode(), end="")
"""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code, path, text, *map(str, descriptors)],
        capture_output=True,
        text=True,
        pass_fds=descriptors,
        user=user,
        check=True,
    )
    return done.stdout


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    with Journal.create(tmp_path / "hostile.jnl", "a" * 32) as journal:
        yield journal


def registration(uid: str = "a" * 32) -> str:
    return f"roar-ebpf {VERSION} run {uid}"


def test_another_version_is_refused_with_the_remedy(daemon: Any) -> None:
    answer = request(daemon.socket, "roar-ebpf 9.9.9 ping")
    assert answer.startswith("no this roard is of version")
    assert "roar tracer enable ebpf" in answer


@pytest.mark.parametrize(
    "text",
    ["", "hello", f"roar-ebpf {VERSION} dance", f"roar-ebpf {VERSION} run ../x", "\xff" * 99],
)
def test_what_is_no_request_is_refused(daemon: Any, text: str) -> None:
    assert request(daemon.socket, text).startswith("no ")
    assert Collector(daemon.socket).ask("ping", patience_s=5) == ""


def test_a_run_needs_exactly_one_descriptor(daemon: Any, journal: Journal) -> None:
    assert "descriptor" in request(daemon.socket, registration())
    with open(journal.path, "r+b") as file:
        fd = file.fileno()
        assert "descriptor" in request(daemon.socket, registration(), fd, fd)


def test_a_journal_of_another_user_is_refused(daemon: Any, journal: Journal) -> None:
    with open(journal.path, "r+b") as file:
        answer = request(daemon.socket, registration(), file.fileno(), user=NOBODY)
    assert answer == "no the journal is another user's file"


def test_what_is_no_journal_is_refused(daemon: Any, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    assert "no regular file" in request(daemon.socket, registration(), writing)
    os.close(reading)
    os.close(writing)
    (tmp_path / "plain").write_bytes(b"x" * 8192)
    with open(tmp_path / "plain", "r+b") as file:
        assert "is no journal" in request(daemon.socket, registration(), file.fileno())
    assert (tmp_path / "plain").read_bytes() == b"x" * 8192


def test_a_journal_that_may_only_be_read_is_refused(daemon: Any, journal: Journal) -> None:
    with open(journal.path, "rb") as file:
        assert "reading and writing" in request(daemon.socket, registration(), file.fileno())


def test_a_damaged_header_is_refused(daemon: Any, journal: Journal) -> None:
    with open(journal.path, "r+b") as file:
        os.pwrite(file.fileno(), b"\xff" * 8, 128)
        assert "damaged" in request(daemon.socket, registration(), file.fileno())


def test_a_journal_of_another_boot_is_refused(daemon: Any, journal: Journal) -> None:
    with open(journal.path, "r+b") as file:
        os.pwrite(file.fileno(), b"another", BOOT_ID.start)
        answer = request(daemon.socket, registration(), file.fileno())
    assert "another machine's" in answer


def test_a_user_cannot_end_anothers_run(daemon: Any, trace: Any) -> None:
    answers = []

    def interfere(journal: Journal, child: subprocess.Popen[bytes]) -> None:
        uid = Path(journal.path).stem
        assert child.stdout is not None
        child.stdout.readline()
        ending = f"roar-ebpf {VERSION} finish {uid}"
        answers.append(request(daemon.socket, ending, user=NOBODY))
        child.communicate(b"\n")

    traced = trace("sh", "-c", "echo begun; read x; cat in > out", around=interfere)
    assert answers == ["no this run is not known here"]
    assert traced.paths(Kind.OPEN).count((b"out",)) == 1
    assert not traced.reasons


def test_a_collector_that_is_behind_catches_up_when_asked(own_daemon: Any, trace: Any) -> None:
    assert own_daemon.start() == "ready"
    forked = []

    def hold_up(journal: Journal, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        own_daemon.process.send_signal(signal.SIGSTOP)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            try:
                child.stdin.write(b"\n")
                child.stdin.flush()
                left = int(child.stdout.readline())
                peer.connect(own_daemon.socket)
                uid = Path(journal.path).stem
                peer.send(f"roar-ebpf {VERSION} catch-up {uid}\0".encode())
            finally:
                own_daemon.process.send_signal(signal.SIGCONT)
            assert peer.recv(64) == b"ok"
        forked.extend(record.value for record in journal.read() if record.kind == Kind.FORK)
        os.kill(left, signal.SIGKILL)
        forked.append(left)

    script = "echo begun; read x; sleep 60 >&- 2>&- <&- & echo $!"
    trace("sh", "-c", script, around=hold_up)
    assert forked[:-1].count(forked[-1]) == 1


def test_what_a_killed_roar_left_is_recorded_when_the_collector_has_told_it_all(
    own_daemon: Any, project: ProjectUnderTest
) -> None:
    assert own_daemon.start() == "ready"
    project.write("in", "content\n")
    os.mkfifo(project.root / "gate")
    roar = subprocess.Popen(
        [*project.roar_argv, "run", "sh", "-c", "echo $$; read line < gate; cat in > out"],
        cwd=project.root,
        env=project.environment(EBPF),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert roar.stdout is not None
    with roar.stdout as answers:
        command = os.pidfd_open(int(answers.readline()))
    own_daemon.process.send_signal(signal.SIGSTOP)
    try:
        roar.kill()
        roar.wait()
        (project.root / "gate").write_text("\n")
        assert select.select([command], [], [], 60)[0]
        # All of them are dead, and nobody has told it yet.
        assert project.json("show")["state"] == "running"
    finally:
        os.close(command)
        own_daemon.process.send_signal(signal.SIGCONT)
    wait_for(lambda: project.json("show")["state"] != "running")
    job = project.json("show")
    assert job["state"] == "interrupted"
    assert [edge["relative"] for edge in job["inputs"]] == ["in"]
    assert [edge["relative"] for edge in job["outputs"]] == ["out"]
    # The daemon has forgotten the run, and would take one of the same name.
    Journal.create(project.root / "again.jnl", job["uid"]).close()
    with open(project.root / "again.jnl", "r+b") as file:
        assert request(own_daemon.socket, registration(job["uid"]), file.fileno()) == "ok"


def test_only_the_tree_of_the_run_is_reported(daemon: Any, trace: Any, tmp_path: Path) -> None:
    strange = tmp_path / "strange"

    def act(journal: Journal, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        child.stdout.readline()
        strange.write_text("x")
        subprocess.run(["cat", strange], check=True, capture_output=True)
        child.communicate(b"\n")

    traced = trace("sh", "-c", "echo begun; read x; cat in", around=act)
    raw = os.fsencode(strange)
    assert all(raw not in record.strings for record in traced.records)


def test_a_number_used_again_is_another_process(daemon: Any, trace: Any, tmp_path: Path) -> None:
    """Processes of the run end, and their numbers come to strangers at once."""
    marker = tmp_path / "marker"
    marker.write_text("x")

    def act(journal: Journal, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        number = int(child.stdout.readline())
        # A number can be asked for as root: clone3(2), set_tid.
        code = f"""
import ctypes, os, struct
tid = (ctypes.c_int * 1)({number})
args = struct.pack("=11Q", 0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(tid), 1, 0)
pid = ctypes.CDLL(None).syscall(435, args, len(args))
if pid == 0:
    open({str(marker)!r}).read()
    os._exit(0)
assert pid == {number}, pid
os.waitpid(pid, 0)
"""
        subprocess.run([sys.executable, "-c", code], check=True)
        child.communicate(b"\n")

    traced = trace("sh", "-c", "sh -c 'echo $$'; read x; true", around=act)
    assert all(os.fsencode(marker) not in record.strings for record in traced.records)


def test_a_collector_killed_in_mid_run_costs_coverage_never_the_command(
    own_daemon: Any, project: ProjectUnderTest
) -> None:
    assert own_daemon.start() == "ready"
    project.write("in", "content\n")
    pid = own_daemon.process.pid
    line = f"cat in; kill -9 {pid}; cat in > out; exit 7"
    result = project.run("sh", "-c", line, environ=EBPF)
    own_daemon.process.wait()
    assert result.exit_code == 7
    assert project.read("out") == "content\n"
    assert result.job is not None
    assert result.job["coverage"]["state"] == "partial"
    assert "tracer" in {reason["code"] for reason in result.job["coverage"]["reasons"]}


def test_a_stale_socket_is_no_collector_and_is_replaced(own_daemon: Any) -> None:
    assert own_daemon.start() == "ready"
    own_daemon.stop(kill=True)
    assert Path(own_daemon.socket).is_socket()
    assert Collector(own_daemon.socket).ask("ping", patience_s=1) == "the collector is not running"
    assert EbpfTracer().priority == 40
    assert own_daemon.start() == "ready"
    assert EbpfTracer().priority == 10


def test_a_second_collector_leaves_the_first_alone(daemon: Any, own_daemon: Any) -> None:
    own_daemon.folder = daemon.folder
    assert "another roard listens" in own_daemon.start()
    assert Collector(daemon.socket).ask("ping", patience_s=5) == ""


def test_a_socket_that_others_could_have_made_is_not_trusted(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with server:
        server.bind(str(tmp_path / "roard.sock"))
        server.listen()
        assert "root" in Collector(str(tmp_path / "roard.sock")).ask("ping", patience_s=1)


def test_what_the_ring_could_not_hold_is_counted(own_daemon: Any, trace: Any) -> None:
    assert own_daemon.start("--ring-pages", "1") == "ready"
    traced = trace("sh", "-c", "mkdir d; cd d; seq 3000 | xargs -n 500 touch; cat *> /dev/null")
    assert traced.code == 0
    told = sum(1 for (path,) in traced.paths(Kind.OPEN) if path.startswith(b"d/"))
    assert told < 6000
    assert traced.events_lost() >= 6000 - told


def test_a_flood_of_opens_loses_nothing(daemon: Any, trace: Any) -> None:
    code = "for i in range(200000): open('in').close()\nfor i in range(3000): open(f'f{i}', 'w')"
    traced = trace(sys.executable, "-c", code)
    assert traced.events_lost() == 0
    assert len(traced.opens(b"in")) == 1
    assert sum(1 for (path,) in traced.paths(Kind.OPEN) if path.startswith(b"f")) == 3000


def test_a_journal_cut_in_mid_run_hurts_its_own_run_only(daemon: Any, trace: Any) -> None:
    def cut(journal: Journal, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        child.stdout.readline()
        os.truncate(journal.path, 4096)
        child.communicate(b"\n")

    traced = trace("sh", "-c", "echo begun; read x; cat in > out", around=cut)
    assert traced.code == 0
    assert [reason.code for reason in traced.reasons] == ["tracer"]
    assert Collector(daemon.socket).ask("ping", patience_s=5) == ""
    assert not trace("cat", "in").reasons


def test_a_journal_without_room_counts_what_it_lost(daemon: Any, trace: Any) -> None:
    code = "for i in range(3000): open(f'f{i}', 'w')"
    traced = trace(sys.executable, "-c", code, room_bytes=128 << 10)
    assert traced.code == 0
    assert traced.lost > 0


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param("true", id="plain"),
        pytest.param("mkdir src && mount --bind . src", id="bind mount"),
    ],
)
def test_paths_are_those_of_the_process(
    daemon: Any, trace: Any, folder: Path, prepare: str
) -> None:
    deep = "/".join(["d"] * 60)
    name = "caf\udce9"
    line = f"{prepare}; mkdir -p {deep}; cat in > {deep}/x; mkdir -p src; cat in > src/{name}"
    traced = trace("sh", "-c", line)
    if prepare != "true":
        subprocess.run(["umount", folder / "src"], check=True)
    assert traced.opens(os.fsencode(f"{deep}/x"))
    assert traced.opens(os.fsencode(f"src/{name}"))
    assert not traced.gaps()


def test_a_name_is_what_it_was_at_the_open(daemon: Any, trace: Any) -> None:
    code = "import os\nf = open('in')\nos.rename('in', 'out')\nf.read(1)\nopen('in', 'w')"
    traced = trace(sys.executable, "-c", code)
    assert [Intent.READ in intent for intent in traced.opens(b"in")] == [True, False]
    assert traced.paths(Kind.RENAME) == [(b"in", b"out")]


def test_another_user_is_answered(daemon: Any) -> None:
    assert request(daemon.socket, f"roar-ebpf {VERSION} ping", user=NOBODY) == "ok"


def test_root_without_a_daemon_loads_a_collector_of_its_own(
    own_daemon: Any, project: ProjectUnderTest
) -> None:
    project.write("in", "content\n")
    result = project.run("sh", "-c", "cat in > out", environ=EBPF)
    assert result.exit_code == 0
    assert (result.reads, result.writes) == ({"in"}, {"out"})
    assert result.job is not None
    assert result.job["coverage"]["state"] == "complete"
