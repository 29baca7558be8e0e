"""From what a client sends to the pieces that are staged: checked, masked, in one spelling.

A piece is (key, body): sent again, the same key counts once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any, NamedTuple

import attrs

from roar_core.errors import RoarError
from roar_core.identity import Leaf, tree_hash
from roar_glaas import door
from roar_glaas.digests import digest_text, is_composite, is_hexadecimal
from roar_glaas.door import Door
from roar_glaas.errors import BadRequest, Unprocessable
from roar_glaas.registration import wire

Piece = tuple[str, dict[str, Any]]


class Git(NamedTuple):
    """The checkout that a registration names."""

    repo: str
    commit: str
    branch: str


MOST_LINKS = 10_000
MOST_COMPONENTS = 100_000
_SOURCES = ("s3", "gs", "https", "hf", "http", "file")
_KINDS = ("file", "symlink", "composite")
_MOST = 2**53 - 1


def job_piece(entry: Door, body: wire.Job) -> Piece:
    """One job, its times in microseconds."""
    where = f"job {body.job_uid}"
    uid = door.uid(body.job_uid, "job_uid").hex()
    parent = body.parent_job_uid
    duration = body.duration_seconds
    piece = {
        "uid": uid,
        "parent": door.uid(parent, f"{where}: parent_job_uid").hex() if parent else None,
        "kind": _name(entry, body.job_type or "run", f"{where}: job_type", 32),
        "step": _count(body.step_number, f"{where}: step_number"),
        "command": entry.text(body.command, f"{where}: command"),
        "started_at_us": door.microseconds(body.timestamp, f"{where}: timestamp"),
        "duration_us": None
        if duration is None
        else door.microseconds(duration, f"{where}: duration_seconds"),
        "exit_code": None
        if body.exit_code is None
        else _within(body.exit_code, -(2**31), 2**31 - 1, f"{where}: exit_code"),
        "git_commit": commit(body.git_commit, f"{where}: git_commit"),
        "git_branch": entry.text(body.git_branch or "", f"{where}: git_branch"),
        "metadata": entry.document(body.metadata, f"{where}: metadata"),
    }
    if body.job_hash is not None:  # records of jobs without one have no word for it
        name = body.job_hash.removeprefix("blake3:")
        piece["job_hash"] = door.digest("blake3", name, f"{where}: job_hash").hex()
    return uid, piece


def artifact_piece(entry: Door, body: wire.Artifact) -> Piece:
    """What a client says of one artifact."""
    digests = _digests(body.hashes, "artifacts: hashes")
    where = f"artifact {digests[0][1][:12]}"
    if body.source_type is not None and body.source_type not in _SOURCES:
        raise BadRequest(f"{where}: source_type must be one of {', '.join(_SOURCES)}")
    url = body.source_url
    piece = {
        "digests": digests,
        "size_bytes": None if body.size is None else _count(body.size, f"{where}: size"),
        "source_type": body.source_type,
        "source_url": None if url is None else entry.text(url, f"{where}: source_url"),
        "metadata": entry.document(body.metadata, f"{where}: metadata"),
    }
    return digests[0][1], piece


def edge_piece(entry: Door, uid: str, direction: str, body: wire.Link) -> Piece:
    """A job read ("in") or wrote ("out") an artifact."""
    algorithm = body.algorithm or "blake3"
    digest = digest_text(algorithm, door.digest(algorithm, body.hash, f"job {uid}: hash"))
    where = f"job {uid}: {digest[:12]}"
    ranges = body.byte_ranges
    if ranges and any(len(pair) != 2 or not 0 <= pair[0] <= pair[1] <= _MOST for pair in ranges):
        raise BadRequest(f"{where}: byte_ranges are pairs of first and last byte")
    path = entry.text(body.path, f"{where}: path")
    piece = {
        "job": uid,
        "direction": direction,
        "digest": digest,
        "path": path,
        "size_bytes": None if body.size is None else _count(body.size, f"{where}: size"),
        "byte_ranges": ranges,
        "selected": None,
        "total": None,
        "bloom": None,
    }
    if body.algorithm is None:
        return _key(uid, direction, digest, path), piece
    piece["algorithm"] = algorithm
    return _key(uid, direction, digest, path, algorithm), piece


def edge_pieces(entry: Door, uid: str, direction: str, links: list[wire.Link]) -> list[Piece]:
    """What one job read, or wrote: the pieces of one request."""
    if len(links) > MOST_LINKS:
        raise BadRequest(f"at most {MOST_LINKS} artifacts in one request")
    return [edge_piece(entry, uid, direction, body) for body in links]


def view_piece(uid: str, body: wire.ViewEdge) -> Piece:
    """A job read or wrote some members of a dataset."""
    directions = {"consumes": "in", "produces": "out"}
    if body.relation not in directions:
        raise BadRequest(f"job {uid}: relation must be consumes or produces")
    direction = directions[body.relation]
    digest = door.digest("blake3", body.target_hash, f"job {uid}: target_hash").hex()
    total = _count(body.parent_total, f"job {uid}: parent_total")
    piece = {
        "job": uid,
        "direction": direction,
        "digest": digest,
        "path": None,
        "size_bytes": None,
        "byte_ranges": None,
        "selected": _within(body.selected_count, 0, total, f"job {uid}: selected_count"),
        "total": total,
        "bloom": _bloom_document(body.bloom, f"job {uid}: bloom"),
    }
    return _key(uid, "view", direction, digest), piece


def composite_piece(entry: Door, body: wire.Composite) -> Piece:
    """A dataset; when all of its members are there, its hash is computed and compared.

    Raises Unprocessable when they give another hash: a claim that can be checked is checked.
    """
    digests = _digests(body.hashes, "hashes")
    where = f"composite {digests[0][1][:12]}"
    if body.hash != digests[0][1] or not is_composite(digests[0][0]):
        raise BadRequest(f"{where}: hash must be the first of hashes, of a composite algorithm")
    if len(body.components) > MOST_COMPONENTS:
        raise BadRequest(
            f"{where}: at most {MOST_COMPONENTS} components in one request; send the first, and a "
            "filter of all"
        )
    members = [_member(entry, member, where) for member in body.components]
    total = _count(body.component_count_total, f"{where}: component_count_total")
    if len(members) > total:
        raise BadRequest(f"{where}: more components than component_count_total")
    index = body.membership_index or wire.Membership()
    return digests[0][1], {
        "digests": digests,
        "size_bytes": None if body.size is None else _count(body.size, f"{where}: size"),
        "total": total,
        "components": members,
        "is_proven": _is_proven(members, total, digests[0], where),
        "bloom": _bloom(index, where),
        "bloom_bits": index.bloom_bits,
        "bloom_hashes": index.bloom_hashes,
        "metadata": entry.document(body.metadata, f"{where}: metadata"),
    }


def commit(text: str | None, where: str) -> str:
    """A git commit, or nothing."""
    is_commit = not text or (len(text) in (40, 64) and is_hexadecimal(text))
    if not is_commit:
        raise BadRequest(f"{where} must be a commit's 40 or 64 hexadecimal digits, or empty")
    return text or ""


def git(entry: Door, body: wire.Checkout) -> Git:
    """The checkout that a request names, nothing where it is silent."""
    return Git(
        entry.text(body.git_repo or "", "git_repo"),
        commit(body.git_commit, "git_commit"),
        entry.text(body.git_branch or "", "git_branch"),
    )


def client_version(entry: Door, header: str | None) -> str:
    """What a client says that it is, with X-Roar-Version; its first 64 characters."""
    return entry.text((header or "")[:64], "X-Roar-Version")


def client_session_id(text: str | None) -> str | None:
    """What a delegated client calls its registration; None when it says nothing."""
    if text is None:
        return None
    if not 0 < len(text) <= 128 or not text.isascii() or not text.isprintable():
        raise BadRequest("client_session_id must be 1 to 128 printable characters of ASCII")
    return text


def _member(entry: Door, body: wire.Component, where: str) -> dict[str, Any]:
    if body.leaf_kind not in _KINDS:
        raise BadRequest(f"{where}: leaf_kind must be one of {', '.join(_KINDS)}")
    place = f"{where}: {door.storable(body.relative_path, where)[:60]}"
    size = body.component_size
    kind = body.component_type
    return {
        # No secret is looked for here: the path is part of what the hash is made of.
        "path": door.storable(body.relative_path, place),
        "leaf_kind": body.leaf_kind,
        "algorithm": body.component_algorithm,
        "digest": door.digest(body.component_algorithm, body.component_digest, place).hex(),
        "size_bytes": None if size is None else _count(size, place),
        "type": None if kind is None else _name(entry, kind, place, 64),
    }


def _is_proven(
    members: list[dict[str, Any]], total: int, name: tuple[str, str], where: str
) -> bool:
    """Whether the members are all there and give the hash. A nested dataset's cannot be told."""
    if len(members) != total or any(member["leaf_kind"] == "composite" for member in members):
        return False
    try:
        found = tree_hash(Leaf(m["path"], m["algorithm"], m["digest"]) for m in members)
    except RoarError as error:
        raise BadRequest(f"{where}: {error}") from error
    if tuple(found) != tuple(name):
        raise Unprocessable(f"{where}: its components give another hash")
    return True


def _bloom(index: wire.Membership, where: str) -> str | None:
    """The filter in hexadecimal."""
    if index.bloom_filter_base64 is None:
        return None
    try:
        content = base64.b64decode(index.bloom_filter_base64, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{where}: bloom_filter_base64 is no base64") from error
    bits, hashes = index.bloom_bits or 0, index.bloom_hashes or 0
    if bits != 8 * len(content) or not 1 <= hashes <= 64:
        raise BadRequest(f"{where}: bloom_bits and bloom_hashes do not fit the filter")
    return content.hex()


def _bloom_document(index: wire.Membership | None, where: str) -> str | None:
    """A filter that passed `_bloom`, as the JSON that was sent: of other fields nothing is kept."""
    if index is None or _bloom(index, where) is None:
        return None
    return json.dumps(attrs.asdict(index), sort_keys=True)


def _digests(hashes: list[wire.Digest], where: str) -> list[tuple[str, str]]:
    if not 1 <= len(hashes) <= 16:
        raise BadRequest(f"{where} needs between 1 and 16 digests")
    checked = [(one.algorithm, door.digest(one.algorithm, one.digest, where)) for one in hashes]
    return [(algorithm, digest_text(algorithm, value)) for algorithm, value in checked]


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _name(entry: Door, text: str, where: str, most: int) -> str:
    if not 0 < len(text) <= most or not text.isascii() or not text.isprintable():
        raise BadRequest(f"{where} must be 1 to {most} printable characters of ASCII")
    return entry.text(text, where)


def _count(value: int, where: str) -> int:
    return _within(value, 0, _MOST, where)


def _within(value: int, low: int, high: int, where: str) -> int:
    if not low <= value <= high:
        raise BadRequest(f"{where} must lie between {low} and {high}")
    return value
