"""Names by content: canonical JSON, job, lineage and tree hash, Bloom membership. Pure.

docs/identity.md gives every preimage byte for byte, with vectors that a test recomputes.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from blake3 import blake3

from roar_core.errors import RoarError

if TYPE_CHECKING:
    from roar_core.model.job import Edge, Job

JOB_HASH_VERSION = 1
LINEAGE_HASH_VERSION = 1

# Integers that every JSON reader keeps exactly (RFC 8785 section 3.2.2.3, IEEE 754 doubles).
_EXACT = 2**53 - 1


def canonical_json(value: Any) -> bytes:
    """Return the RFC 8785 (JCS) serialisation of dicts, lists, tuples, str, int, bool and None.

    A lone surrogate, which stands for a byte of a name that is not UTF-8, is written `\\udcNN` as
    ECMAScript's JSON.stringify does; RFC 8785 itself would refuse it. Raises TypeError for floats,
    any other type and keys that are no str, ValueError for integers beyond 2**53 - 1.
    """
    return _encoded(_ordered(value))


def _encoded(value: Any) -> bytes:
    """Like `canonical_json`, of what is in order and holds nothing that it would refuse."""
    return _ENCODER.encode(value).encode("utf-8", "backslashreplace")


# Made once, and tuples in place of `str | bool`: a registry does this for thousands of records.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_SIMPLE = (str, bool)
_LISTS = (list, tuple)


def _ordered(value: Any) -> Any:
    if value is None or isinstance(value, _SIMPLE):
        return value
    if isinstance(value, int):
        if abs(value) > _EXACT:
            raise ValueError(f"{value} cannot be told exactly in JSON")
        return value
    if isinstance(value, _LISTS):
        # Most of what is hashed are lists of texts: no call for each of them.
        return [item if type(item) is str else _ordered(item) for item in value]
    if isinstance(value, dict):
        try:
            is_ascii = "".join(value).isascii()
        except TypeError as error:
            raise TypeError("canonical JSON needs str keys") from error
        # RFC 8785 section 3.2.3: by UTF-16 code units, not code points. Of ASCII both are the same.
        keys = sorted(value) if is_ascii else sorted(value, key=_utf16)
        return {key: _ordered(value[key]) for key in keys}
    raise TypeError(f"canonical JSON has no {type(value).__name__}")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def portable_name(name: str) -> str:
    """Return an `os.fsdecode`d name as UTF-8 with surrogateescape, whatever the locale."""
    if name.isascii() or sys.getfilesystemencoding() == "utf-8":
        return name
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def is_on_a_node(url: str) -> bool:
    """Whether this is a file on the own disk of a node: `file://NODE/path` (RFC 8089)."""
    return url.startswith("file://") and not url.startswith("file:///")


def without_node(url: str) -> str:
    """The path of a file on a node's own disk; any other name as it is."""
    if not is_on_a_node(url):
        return url
    path = url.removeprefix("file://")
    return path[path.find("/") :]


def relative_to_project(path: str, project: str) -> str | None:
    """Return `path` relative to `project` (`.` for itself), or None when it is outside."""
    if path.startswith(project + "/"):
        return path[len(project) + 1 :]
    return "." if path == project else None


# --- jobs ----------------------------------------------------------------------------------------


def job_hash(job: Job) -> str:
    """Return `blake3:<hex>` over what was done: equal work on two machines has equal hashes."""
    # Ten thousand tasks are named at once, and putting in order what is takes half of that time.
    return "blake3:" + blake3(_encoded(job_preimage(job))).hexdigest()


def job_preimage(job: Job) -> dict[str, Any]:
    """Return the value whose canonical JSON is hashed as the job's name; its keys are in order."""
    return {
        "argv": _portable_argv(job),
        "commit": job.git.commit,
        "cwd": _place(job.cwd, job.project),
        "environment": {
            "interpreter": job.environment.interpreter if job.environment else None,
            "packages": [list(pair) for pair in sorted(job.packages.python.items())],
        },
        "inputs": _edge_pairs(job.inputs, job.project),
        "kind": job.kind,
        "outputs": _edge_pairs(job.outputs, job.project),
        "patch": job.git.snapshot,
        "v": JOB_HASH_VERSION,
    }


def lineage_hash(job_hashes: Iterable[str]) -> str:
    """Return the name of a set of jobs (a closure): order and repeats do not count."""
    return _blake3({"v": LINEAGE_HASH_VERSION, "jobs": sorted(set(job_hashes))})


def _blake3(value: Any) -> str:
    return "blake3:" + blake3(canonical_json(value)).hexdigest()


def _place(path: str, project: str) -> str:
    """A path inside the project is told relative to it, one outside by its file name."""
    inside = relative_to_project(path, project)
    return portable_name(path.rpartition("/")[2] if inside is None else inside)


def _edge_pairs(edges: Sequence[Edge], project: str) -> list[list[str | None]]:
    names = [
        portable_name(edge.path)
        if edge.kind == "object" and not is_on_a_node(edge.path)
        else _place(edge.path, project)
        for edge in edges
    ]
    pairs = [(name, edge.hash or "") for name, edge in zip(names, edges, strict=True)]
    # By their bytes, which for ASCII is the order that texts have by themselves.
    pairs.sort(key=None if "".join(names).isascii() else _by_bytes)
    return [[name, digest or None] for name, digest in pairs]


def _by_bytes(pair: tuple[str, str]) -> tuple[bytes, str]:
    return pair[0].encode("utf-8", "surrogateescape"), pair[1]


# Where a path may begin inside an argument: at its start, after one of these, or after an option
# glued to it (`-I/x`, `@/x`).
_BREAKS = r"\s=:,;'\"()<>|&"
_GLUED = rf"(^|[{_BREAKS}])(-[A-Za-z0-9-]*|@)?"


def _portable_argv(job: Job) -> list[str]:
    """Return argv without this machine's directories: see docs/identity.md, "argv"."""
    if not job.command:
        return []
    program, *arguments = job.command
    name = portable_name(program.rpartition("/")[2] or program)
    if not any("/" in argument for argument in arguments):
        return [name, *map(portable_name, arguments)]
    inside = re.compile(rf"{_GLUED}{re.escape(job.project)}(?:/+|(?=[{_BREAKS}])|$)")
    outside_word = re.compile(rf"{_GLUED}(/[^{_BREAKS}]*)")
    outside = _names_outside(job)

    def relative(match: re.Match[str]) -> str:
        rest = match.string[match.end() : match.end() + 1]
        here = "." if not rest or re.match(f"[{_BREAKS}]", rest) else ""
        return f"{match[1]}{match[2] or ''}{here}"

    def by_name(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2] or ''}{outside.get(match[3].rstrip('/'), match[3])}"

    def portable(argument: str) -> str:
        if "/" not in argument:
            return argument
        if argument in outside:
            return outside[argument]
        return outside_word.sub(by_name, inside.sub(relative, argument))

    return [name, *(portable_name(portable(argument)) for argument in arguments)]


def _names_outside(job: Job) -> dict[str, str]:
    """Map what the job used outside the project, and the directories above, to their last names."""
    names: dict[str, str] = {}
    for edge in (*job.inputs, *job.outputs):
        if edge.kind == "object" or relative_to_project(edge.path, job.project) is not None:
            continue
        path = edge.path
        # A directory above the project is above every machine's home as well: it is left as typed.
        while path and path not in names and not job.project.startswith(path + "/"):
            names[path] = path.rpartition("/")[2]
            path = path.rpartition("/")[0]
    return names


# --- composites ----------------------------------------------------------------------------------

# Housekeeping files that come and go without the data changing (GLaaS v1).
EXCLUDED_NAMES = frozenset({".gitattributes", ".gitignore", "README.md", "LICENSE", ".DS_Store"})


class Leaf(NamedTuple):
    """A member of a composite: its path below the root, and its digest (lower-case hex).

    The member may itself be a composite: `algorithm` is then the label of its own tree hash.
    """

    path: str
    algorithm: str
    digest: str


class TreeHash(NamedTuple):
    """A composite's name: `algorithm` is `composite-blake3` or `composite-sha256`, `root` hex."""

    algorithm: str
    root: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.root}"


def in_identity(path: str) -> bool:
    """Whether a member's name lets it count for a dataset's identity; layouts may exclude more."""
    if "\\" in path:
        path = path.replace("\\", "/")
    return path.rpartition("/")[2] not in EXCLUDED_NAMES


def tree_hash(leaves: Iterable[Leaf]) -> TreeHash:
    """Return the identity of a dataset, which the names and digests of its members alone decide.

    Raises RoarError when a member's path is empty, leaves the dataset or occurs twice.
    """
    lines: dict[bytes, bytes] = {}
    only_sha256 = True
    for path, algorithm, digest in leaves:
        name = _member_name(path)
        if name in lines:
            raise RoarError(f"dataset member {path!r} occurs twice")
        lines[name] = name + b"\0" + f"{algorithm}:{digest.lower()}\n".encode()
        only_sha256 = only_sha256 and algorithm in ("sha256", "composite-sha256")
    combiner = "sha256" if only_sha256 and lines else "blake3"
    preimage = b"".join([b"roar:%s-tree:v1\n" % combiner.encode(), *map(lines.get, sorted(lines))])  # type: ignore[list-item]
    return TreeHash(f"composite-{combiner}", _digest(combiner, preimage))


def _digest(algorithm: str, content: bytes) -> str:
    if algorithm == "blake3":
        return blake3(content).hexdigest()
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _member_name(path: str) -> bytes:
    name = path.replace("\\", "/")
    while name.startswith(("./", "/")):
        name = name[2:] if name.startswith("./") else name[1:]
    if not name or "\0" in name:
        raise RoarError(f"dataset member {path!r} has no usable name")
    if ".." in name.split("/"):
        raise RoarError(f"dataset member {path!r} is outside the dataset")
    return portable_name(name).encode("utf-8", "surrogateescape")


# --- membership ----------------------------------------------------------------------------------

_FALSE_POSITIVES = 0.001
_MIN_BITS = 2048
_MAX_HASHES = 12


class BloomFilter(NamedTuple):
    """Answers "may this digest be a member?": never wrongly no, wrongly yes once in a thousand."""

    bits: int
    hashes: int
    data: bytes
    version: int = 1

    @classmethod
    def of(cls, members: Iterable[tuple[str, str]]) -> BloomFilter:
        """Build the filter over (algorithm, digest) pairs."""
        digests = set(members)
        count = max(1, len(digests))
        wanted = math.ceil(count * -math.log(_FALSE_POSITIVES) / math.log(2) ** 2)
        bits = (max(_MIN_BITS, wanted) + 7) // 8 * 8
        hashes = min(max(round(bits / count * math.log(2)), 1), _MAX_HASHES)
        data = bytearray(bits // 8)
        for algorithm, digest in digests:
            for bit in _bits(algorithm, digest, bits, hashes):
                data[bit // 8] |= 1 << bit % 8
        return cls(bits, hashes, bytes(data))

    @classmethod
    def from_wire(cls, fields: Mapping[str, Any]) -> BloomFilter:
        """Read the registry's fields; raises RoarError when they do not fit each other."""
        from base64 import b64decode

        try:
            bits, hashes = int(fields["bloom_bits"]), int(fields["bloom_hashes"])
            data = b64decode(fields["bloom_filter_base64"], validate=True)
            version = int(fields.get("bloom_version", 1))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RoarError(f"not a composite membership filter: {error!r}") from error
        if version != 1 or bits != len(data) * 8 or bits == 0 or not 1 <= hashes <= _MAX_HASHES:
            raise RoarError("not a composite membership filter of version 1")
        return cls(bits, hashes, data, version)

    def to_wire(self) -> dict[str, Any]:
        """Return the fields the registry knows the filter by."""
        from base64 import b64encode

        return {
            "bloom_filter_base64": b64encode(self.data).decode(),
            "bloom_bits": self.bits,
            "bloom_hashes": self.hashes,
            "bloom_version": self.version,
        }

    def may_contain(self, algorithm: str, digest: str) -> bool:
        """Whether the digest may be a member; False is certain."""
        return all(
            self.data[bit // 8] >> bit % 8 & 1
            for bit in _bits(algorithm, digest, self.bits, self.hashes)
        )


def _bits(algorithm: str, digest: str, bits: int, hashes: int) -> list[int]:
    seed = blake3(f"roar:composite-membership:v1\0{algorithm}:{digest.lower()}".encode()).digest()
    first = int.from_bytes(seed[:8], "little")
    second = int.from_bytes(seed[8:16], "little") or 1
    return [(first + i * second) % bits for i in range(hashes)]
