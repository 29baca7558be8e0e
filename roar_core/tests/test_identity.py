"""Names by content: every recipe of docs/identity.md, recomputed from the page itself."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from roar_core.errors import RoarError
from roar_core.identity import (
    BloomFilter,
    Leaf,
    canonical_json,
    in_identity,
    job_hash,
    job_preimage,
    lineage_hash,
    tree_hash,
)
from roar_core.model.environment import Environment, GitState, Packages
from roar_core.model.job import Edge, Job

PAGE = Path(__file__).parents[2].joinpath("docs/identity.md").read_text(encoding="utf-8")
VECTORS = re.findall(r"```preimage\n(.*?)\n```\n+is `([a-z0-9-]+):([0-9a-f]{64})`", PAGE, re.DOTALL)
ADA = "/home/ada/digits"


def digest(content: bytes) -> dict[str, str]:
    return {"blake3": blake3(content).hexdigest()}


ADAS_JOB = Job(
    uid="0" * 32,
    kind="run",
    command=(
        "/usr/bin/python3",
        "src/train.py",
        f"--out={ADA}/model.bin",
        "/data/shared/images.npz",
        "--seed",
        "7",
    ),
    cwd=ADA,
    project=ADA,
    state="succeeded",
    started_at_ns=1,
    exit_code=0,
    duration_s=1.5,
    inputs=(
        Edge(f"{ADA}/params.yaml", 7, digest(b"lr: 0.1")),
        Edge("/data/shared/images.npz", 6, digest(b"images")),
    ),
    outputs=(Edge(f"{ADA}/model.bin", 5, digest(b"model")),),
    git=GitState("8f3a1c0de5b7a49c2f6d1e0b9a8c7d6e5f4a3b2c", "main", "https://example.org/a", True),
    packages=Packages({"scikit-learn": "1.9.1", "numpy": "2.4.6"}, {"libc6": "2.36"}),
    environment=Environment("Debian 12", "x86_64", "cpython 3.11.7", cpu="a fast one"),
)
LATIN = os.fsdecode(b"caf\xe9.txt")
ODD_JOB = Job(
    uid="1" * 32,
    kind="run",
    command=("cat", LATIN),
    cwd=f"{ADA}/sub",
    project=ADA,
    state="succeeded",
    started_at_ns=1,
    inputs=(Edge(f"{ADA}/sub/{LATIN}", 1, digest(b"x")),),
)
MEMBERS = [
    Leaf("b.bin", "blake3", blake3(b"b").hexdigest()),
    Leaf("./a/x.bin", "blake3", blake3(b"a").hexdigest()),
]


# --- the page ------------------------------------------------------------------------------------


def test_the_page_has_its_vectors() -> None:
    assert [label for _, label, _ in VECTORS] == ["blake3", "blake3", "blake3", "composite-blake3"]


def test_every_preimage_on_the_page_has_the_name_beside_it() -> None:
    for preimage, label, name in VECTORS:
        raw = preimage.encode()
        if label.startswith("composite-"):
            raw = preimage.replace("\n", "").replace("\\n", "\n").replace("\\0", "\0").encode()
        assert blake3(raw).hexdigest() == name


def test_the_jobs_on_the_page_have_these_preimages() -> None:
    for job, (preimage, label, name) in zip((ADAS_JOB, ODD_JOB), VECTORS[:2], strict=True):
        assert canonical_json(job_preimage(job)).decode() == preimage
        assert job_hash(job) == f"{label}:{name}"


def test_the_lineage_and_the_composite_on_the_page_are_so_named() -> None:
    one, two = f"blake3:{'1' * 64}", f"blake3:{'2' * 64}"
    assert lineage_hash([two, one, two]) == "blake3:" + VECTORS[2][2]
    assert str(tree_hash(MEMBERS)) == "composite-blake3:" + VECTORS[3][2]


def test_the_filter_on_the_page_has_these_bits() -> None:
    wanted = re.search(r"```bits\n(.*?)\n```", PAGE, re.DOTALL)
    assert wanted is not None
    made = BloomFilter.of((leaf.algorithm, leaf.digest) for leaf in MEMBERS)
    bits = [bit for bit in range(made.bits) if made.data[bit // 8] >> bit % 8 & 1]
    assert (made.bits, made.hashes) == (2048, 12)
    assert bits == [int(number) for number in wanted[1].split()]


# --- canonical JSON ------------------------------------------------------------------------------


def test_keys_are_sorted_as_rfc_8785_shows() -> None:
    # RFC 8785 section 3.2.3.
    shown = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    text = canonical_json(dict.fromkeys(reversed(shown), 0)).decode()
    assert list(json.loads(text)) == shown


def test_strings_are_escaped_as_rfc_8785_shows() -> None:
    # RFC 8785 section 3.2.2.2.
    assert (
        canonical_json('\u20ac$\u000f\nA\'B"\\\\"/').decode() == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'
    )
    assert canonical_json("\b\t\f\r\x1f\x7f").decode() == '"\\b\\t\\f\\r\\u001f\x7f"'


def test_a_byte_that_is_not_utf8_is_told_apart_from_its_spelling() -> None:
    byte, spelling = os.fsdecode(b"\xff"), "\\udcff"
    assert canonical_json(byte) == b'"\\udcff"'
    assert canonical_json(spelling) == b'"\\\\udcff"'


@pytest.mark.parametrize("value", [1.5, 1.0, b"x", {1: 2}, {"a": {2.0}}, [object()]])
def test_what_has_no_one_spelling_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_integers_that_a_double_cannot_hold_are_refused() -> None:
    assert canonical_json([2**53 - 1, -(2**53) + 1]) == b"[9007199254740991,-9007199254740991]"
    with pytest.raises(ValueError, match="cannot be told exactly"):
        canonical_json(2**53)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_canonical_json_is_json_and_says_the_same(value: Any) -> None:
    raw = canonical_json(value)
    assert json.loads(raw) == value
    assert canonical_json(json.loads(raw)) == raw


@given(st.binary(), st.binary())
def test_different_names_are_never_written_alike(one: bytes, two: bytes) -> None:
    written = [canonical_json(os.fsdecode(raw)) for raw in (one, two)]
    assert (written[0] == written[1]) == (one == two)


# --- jobs ----------------------------------------------------------------------------------------


def moved(job: Job, root: str) -> Job:
    """The same work in another checkout."""

    def there(path: str) -> str:
        return path.replace(ADA, root)

    return attrs.evolve(
        job,
        command=tuple(map(there, job.command)),
        cwd=there(job.cwd),
        project=root,
        inputs=tuple(attrs.evolve(edge, path=there(edge.path)) for edge in job.inputs),
        outputs=tuple(attrs.evolve(edge, path=there(edge.path)) for edge in job.outputs),
    )


def test_the_same_work_elsewhere_has_the_same_hash() -> None:
    there = attrs.evolve(
        moved(ADAS_JOB, "/mnt/bob's work (2)/d"),
        uid="f" * 32,
        started_at_ns=99,
        duration_s=9.0,
        tracer="ptrace",
        name="mine",
        environment=Environment("Fedora", "x86_64", "cpython 3.11.7", gpus=(), cpu="another"),
        git=attrs.evolve(ADAS_JOB.git, branch="other", remote=None, dirty=False),
        packages=Packages(ADAS_JOB.packages.python, {"glibc": "2.40"}),
        inputs=tuple(reversed(moved(ADAS_JOB, "/mnt/bob's work (2)/d").inputs)),
    )
    assert job_hash(there) == job_hash(ADAS_JOB)


@given(st.lists(st.binary(min_size=1).filter(lambda raw: b"\0" not in raw), max_size=8))
def test_the_name_is_that_of_the_preimage_in_canonical_json(names: list[bytes]) -> None:
    paths = [f"{ADA}/{os.fsdecode(name)}" for name in names]
    edges = tuple(Edge(path, 1, digest(path.encode("utf-8", "surrogateescape"))) for path in paths)
    packages = Packages({os.fsdecode(name): "1" for name in names})
    job = attrs.evolve(ADAS_JOB, inputs=edges, outputs=edges[:1], packages=packages)
    preimage = canonical_json(job_preimage(job))
    assert job_hash(job) == f"blake3:{blake3(preimage).hexdigest()}"


@pytest.mark.parametrize(
    "change",
    [
        {"command": ("python3", "src/train.py", "--seed", "8")},
        {"cwd": f"{ADA}/src"},
        {"kind": "build"},
        {"git": GitState("0" * 40)},
        {"git": attrs.evolve(ADAS_JOB.git, snapshot=f"blake3:{'0' * 64}")},
        {"inputs": ADAS_JOB.inputs[:1]},
        {"outputs": ()},
        {"outputs": (attrs.evolve(ADAS_JOB.outputs[0], digests=digest(b"other")),)},
        {"outputs": (attrs.evolve(ADAS_JOB.outputs[0], digests={}, hash_state="unknown"),)},
        {"packages": Packages({"numpy": "2.4.7"})},
        {"environment": Environment("Debian 12", "x86_64", "cpython 3.12.1")},
    ],
)
def test_other_work_has_another_hash(change: dict[str, Any]) -> None:
    assert job_hash(attrs.evolve(ADAS_JOB, **change)) != job_hash(ADAS_JOB)


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        (f"{ADA}/a/b", "a/b"),
        (ADA, "."),
        (f"{ADA}/", "."),
        (f"{ADA}//a", "a"),
        (f"--data={ADA}/a", "--data=a"),
        (f"-I{ADA}/include", "-Iinclude"),
        (f"@{ADA}/args", "@args"),
        (f"{ADA}/a:{ADA}:{ADA}/b", "a:.:b"),
        (f"cat {ADA}/a > '{ADA}/b'", "cat a > 'b'"),
        (f"{ADA}2/a", f"{ADA}2/a"),
        (f"/mnt{ADA}/a", f"/mnt{ADA}/a"),
        (f"data{ADA}/a", f"data{ADA}/a"),
        ("/data/shared/images.npz", "images.npz"),
        ("--in=/data/shared/images.npz", "--in=images.npz"),
        ("/data/shared/", "shared"),
        ("/data/other", "/data/other"),
        ("/home/ada", "/home/ada"),
        ("s/a/b/", "s/a/b/"),
        ("https://example.org/data/shared", "https://example.org/data/shared"),
        ("./a/../b", "./a/../b"),
        ("", ""),
    ],
)
def test_arguments_lose_the_machines_directories(argument: str, told: str) -> None:
    job = attrs.evolve(ADAS_JOB, command=("x", argument))
    assert job_preimage(job)["argv"] == ["x", told]


def test_an_object_is_told_by_its_url() -> None:
    edge = Edge("s3://bucket/key", 1, digest(b"x"), kind="object")
    job = attrs.evolve(ADAS_JOB, inputs=(edge,))
    assert job_preimage(job)["inputs"] == [["s3://bucket/key", edge.hash]]


def test_the_locale_does_not_change_a_name() -> None:
    script = (
        "import os, sys; sys.path[:] = eval(sys.argv[1])\n"
        "from roar_core.identity import portable_name\n"
        "name = os.fsdecode(b'caf\\xc3\\xa9\\xff')\n"
        "print(sys.getfilesystemencoding(), ascii(portable_name(name)))"
    )
    told = []
    for locale in ("C.UTF-8", "POSIX"):
        result = subprocess.run(
            [sys.executable, "-X", "utf8=0", "-c", script, repr(sys.path)],
            env={**os.environ, "LC_ALL": locale, "PYTHONCOERCECLOCALE": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(result.stdout.split(maxsplit=1)[1])
    assert told == ["'caf\\xe9\\udcff'\n"] * 2


# --- composites ----------------------------------------------------------------------------------


def test_the_combiner_is_sha256_only_when_every_member_is() -> None:
    sha = Leaf("a", "sha256", hashlib.sha256(b"a").hexdigest())
    preimage = b"roar:sha256-tree:v1\na\0sha256:" + sha.digest.encode() + b"\n"
    assert tree_hash([sha]) == ("composite-sha256", hashlib.sha256(preimage).hexdigest())
    assert tree_hash([sha, *MEMBERS]).algorithm == "composite-blake3"
    inner = tree_hash([sha])
    assert tree_hash([Leaf("sub", *inner)]).algorithm == "composite-sha256"
    assert tree_hash([Leaf("sub", *tree_hash(MEMBERS)), sha]).algorithm == "composite-blake3"


def test_members_are_sorted_by_bytes_and_may_have_any_name() -> None:
    odd = [
        Leaf(os.fsdecode(raw), "md5", "0" * 32)
        for raw in (b"z", b"\xff", "é".encode(), b"B", b"a b\n")
    ]
    lines = [b"B", b"a b\n", b"z", "é".encode(), b"\xff"]
    preimage = b"roar:blake3-tree:v1\n" + b"".join(n + b"\0md5:" + b"0" * 32 + b"\n" for n in lines)
    assert tree_hash(odd).root == blake3(preimage).hexdigest()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "has no usable name"),
        ("./", "has no usable name"),
        ("a/../b", "is outside the dataset"),
        ("..\\a", "is outside the dataset"),
        ("/x", "occurs twice"),
        ("a\0b", "has no usable name"),
    ],
)
def test_members_that_could_lead_elsewhere_are_refused(path: str, sentence: str) -> None:
    with pytest.raises(RoarError, match=sentence):
        tree_hash([Leaf("x", "md5", "0"), Leaf(path, "md5", "0")])


def test_housekeeping_is_no_part_of_a_dataset() -> None:
    names = ["README.md", "sub/.gitignore", "data.bin", "readme.md", "LICENSE.txt"]
    assert [name for name in names if in_identity(name)] == ["data.bin", "readme.md", "LICENSE.txt"]


@given(st.sets(st.binary(min_size=1, max_size=8), min_size=1, max_size=300))
def test_a_member_is_never_denied(contents: set[bytes]) -> None:
    members = [("blake3", blake3(content).hexdigest()) for content in contents]
    made = BloomFilter.from_wire(BloomFilter.of(members).to_wire())
    assert all(made.may_contain(*member) for member in members)


def test_a_stranger_is_taken_for_a_member_once_in_a_thousand() -> None:
    made = BloomFilter.of(("blake3", f"{number:064x}") for number in range(2_000))
    wrong = sum(made.may_contain("blake3", f"{number:064x}") for number in range(10_000, 30_000))
    assert (made.bits % 8, made.hashes) == (0, 10)
    assert 2 <= wrong <= 60


@pytest.mark.parametrize(
    "change",
    [
        {"bloom_bits": 8},
        {"bloom_hashes": 0},
        {"bloom_hashes": 10**9},
        {"bloom_version": 2},
        {"bloom_filter_base64": "!"},
        {"bloom_filter_base64": "", "bloom_bits": 0},
        {"bloom_bits": None},
    ],
)
def test_a_filter_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    wire = BloomFilter.of([("blake3", "0" * 64)]).to_wire()
    with pytest.raises(RoarError, match="not a composite membership filter"):
        BloomFilter.from_wire({**wire, **change})
