"""One file's digest: right, of one version, and never stuck on what is no file."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from blake3 import blake3

from roar_core.errors import UsageError
from roar_core.hashing.digests import ALGORITHMS, LARGE_BYTES, WHOLE_BYTES, digest_file
from roar_core.hashing.failures import FileChanged, NotRegular, Unreadable
from roar_core.hashing.reading import PIECE_BYTES
from roar_core.model.fingerprint import Fingerprint


def fingerprint_of(path: Path) -> Fingerprint:
    return Fingerprint.from_stat(path.stat())


def run_python(program: str, *arguments: str | Path, cwd: Path | None = None) -> str:
    """Run `program` in an interpreter of its own; its standard output."""
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_digests_are_those_of_the_algorithms_own_test_vectors(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "abc").write_bytes(b"abc")
    # Sources: BLAKE3's test_vectors.json and README, the examples of FIPS 180-4 and of RFC 1321.
    assert digest_file(str(tmp_path / "empty")).digests == {
        "blake3": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    }
    digests = digest_file(str(tmp_path / "abc"), ALGORITHMS).digests
    assert digests["blake3"] == "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
    assert digests["sha256"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digests["sha512"].startswith("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2")
    assert digests["md5"] == "900150983cd24fb0d6963f7d28e17f72"


@pytest.mark.parametrize("border", [1, WHOLE_BYTES, PIECE_BYTES, LARGE_BYTES, 3 * LARGE_BYTES])
@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_every_way_of_reading_gives_the_same_digests(
    tmp_path: Path, border: int, beyond: int
) -> None:
    content = os.urandom(border + beyond)
    path = tmp_path / "file"
    path.write_bytes(content)
    digested = digest_file(str(path), ("blake3", "sha256"))
    assert digested.digests == {
        "blake3": blake3(content).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert digested.fingerprint == fingerprint_of(path)
    assert digest_file(str(path), threads=1).digests["blake3"] == digested.digests["blake3"]


def test_an_unknown_algorithm_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown hash algorithm 'crc32'; roar knows blake3, sha2"):
        digest_file(str(tmp_path), ("crc32",))


def test_a_name_of_any_bytes_is_hashed(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe \n")
    Path(path).write_bytes(b"abc")
    assert digest_file(path).digests["blake3"].startswith("6437b3ac")


def test_reading_leaves_no_trace_in_the_access_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    os.utime(path, ns=(1, path.stat().st_mtime_ns))
    digest_file(str(path))
    assert path.stat().st_atime_ns == 1


def test_other_bytes_with_the_size_and_mtime_kept_are_another_version(tmp_path: Path) -> None:
    path, reference = tmp_path / "file", tmp_path / "reference"
    path.write_bytes(b"old bytes")
    shutil.copy2(path, reference)
    old = fingerprint_of(path)
    path.write_bytes(b"new bytes")
    subprocess.run(["touch", "-r", reference, path], check=True)
    new = fingerprint_of(path)
    assert (new.ino, new.size, new.mtime_ns) == (old.ino, old.size, old.mtime_ns)
    with pytest.raises(FileChanged):
        digest_file(str(path), expected=old)
    assert digest_file(str(path)).digests["blake3"] == blake3(b"new bytes").hexdigest()


def test_a_copy_with_preserved_times_put_in_its_place_is_another_version(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"old bytes")
    old = fingerprint_of(path)
    other.write_bytes(b"new bytes")
    os.utime(other, ns=(old.mtime_ns, old.mtime_ns))
    subprocess.run(["cp", "-p", other, path], check=True)
    assert path.stat().st_mtime_ns == old.mtime_ns
    with pytest.raises(FileChanged) as caught:
        digest_file(str(path), expected=old)
    assert caught.value.fingerprint == fingerprint_of(path)


def test_a_file_replaced_while_it_is_read_gives_the_new_file_s_digest(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(bytes(LARGE_BYTES))
    other.write_bytes(b"new")

    def replace_once(_count_bytes: int) -> None:
        if other.exists():
            other.replace(path)

    assert digest_file(str(path), advance=replace_once).digests["blake3"] == (
        blake3(b"new").hexdigest()
    )


def test_a_file_replaced_while_it_is_read_is_never_taken_for_the_version_wanted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(LARGE_BYTES))
    wanted = fingerprint_of(path)

    def replace(_count_bytes: int) -> None:
        (tmp_path / "other").write_bytes(bytes(LARGE_BYTES))
        (tmp_path / "other").replace(path)

    with pytest.raises(FileChanged):
        digest_file(str(path), expected=wanted, advance=replace)


def test_a_file_truncated_while_it_is_read_hurts_nobody(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(4 * LARGE_BYTES))

    def truncate(_count_bytes: int) -> None:
        os.truncate(path, LARGE_BYTES // 2)

    wanted = fingerprint_of(path)
    with pytest.raises(FileChanged, match="its size and its content do not agree"):
        digest_file(str(path), expected=wanted, advance=truncate)


def test_a_file_that_a_process_keeps_appending_to_has_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(bytes(LARGE_BYTES))
    program = "import sys\nwith open(sys.argv[1], 'ab', 0) as f:\n while True: f.write(b'line')"
    with subprocess.Popen([sys.executable, "-c", program, path]) as writer:

        def wait_for_a_line(_count_bytes: int) -> None:
            size = path.stat().st_size
            while path.stat().st_size == size:
                assert writer.poll() is None

        try:
            with pytest.raises(FileChanged, match="it kept changing while it was read"):
                digest_file(str(path), advance=wait_for_a_line)
        finally:
            writer.kill()


def test_a_file_that_a_process_keeps_replacing_gives_the_digest_of_one_version(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    size = 4 << 20
    versions = {blake3(bytes([letter]) * size).hexdigest() for letter in b"ab"}
    path.write_bytes(b"a" * size)
    program = (
        "import itertools, os, sys\n"
        "for letter in itertools.cycle((b'a', b'b')):\n"
        " with open(sys.argv[1] + '.new', 'wb') as f: f.write(letter * int(sys.argv[2]))\n"
        " os.replace(sys.argv[1] + '.new', sys.argv[1])\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, path, str(size)]) as writer:
        try:
            for _ in range(60):
                try:
                    assert digest_file(str(path)).digests["blake3"] in versions
                except FileChanged:
                    continue
        finally:
            writer.kill()


@pytest.mark.parametrize("kind", ["folder", "device", "fifo"])
def test_what_has_no_content_of_its_own_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(NotRegular, match="not a regular file"):
        digest_file(str(path))


def test_a_process_that_waits_for_a_fifo_s_reader_goes_on_waiting(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(b"for the real reader"))
    writer.start()
    for _ in range(100):
        with pytest.raises(NotRegular):
            digest_file(str(path))
    assert writer.is_alive()
    assert path.read_bytes() == b"for the real reader"
    writer.join()


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"cannot hash '.*/no': no such file") as caught:
        digest_file(str(tmp_path / "no"))
    assert caught.value.code == "missing"


AS_NOBODY = """
import os, resource, sys
from roar_core.hashing import digests, failures
import blake3, threading
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""


def test_a_file_one_may_not_read_is_said_to_be_denied(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "secret").write_bytes(b"abc")
    (tmp_path / "secret").chmod(0)
    program = """
try:
    digests.digest_file("secret")
except failures.HashError as problem:
    print(problem.code, problem)
"""
    said = run_python(AS_NOBODY + program, cwd=tmp_path)
    assert said == "denied cannot hash 'secret': permission denied\n"


def test_another_user_s_file_is_read_though_its_access_time_cannot_be_spared(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "file").chmod(0o644)
    said = run_python(AS_NOBODY + 'print(digests.digest_file("file").digests)', cwd=tmp_path)
    assert "6437b3ac" in said


def test_a_large_file_is_hashed_where_no_thread_may_be_started(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_bytes(bytes(LARGE_BYTES))
    (tmp_path / "file").chmod(0o644)
    program = """
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
print(digests.digest_file("file").digests["blake3"])
"""
    said = run_python(AS_NOBODY + program, cwd=tmp_path)
    assert said.strip() == blake3(bytes(LARGE_BYTES)).hexdigest()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(4 << 30)
    program = """
import resource, sys
from roar_core.hashing.digests import digest_file
small = digest_file(sys.argv[1]); digest_file(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
digest_file(sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    (tmp_path / "small").write_bytes(b"abc")
    (tmp_path / "large").write_bytes(bytes(LARGE_BYTES))
    grown = run_python(program, *(tmp_path / name for name in ("small", "large", "sparse")))
    assert int(grown) < 8 << 10  # KiB
