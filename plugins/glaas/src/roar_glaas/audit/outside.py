"""Check a registry's log over HTTP, trusting nothing it says but what an earlier visit remembers.

What can be told from outside: that its heads are signed by its keys, that its keys follow each
other, and that it still holds, unchanged and in the same order, all that it held before.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from roar_core.transparency.continuing import (
    Seen,
    continuity_problems,
    key_problems,
    signature_problems,
)
from roar_core.transparency.merkle import Growing, leaf_hash
from roar_core.transparency.statements import LogKey, TreeHead
from roar_core.transparency.told import (
    ToldError,
    digest_of,
    head_of,
    keys_of,
    path_of,
    seen_of,
    seen_told,
)
from roar_glaas.audit.findings import Findings
from roar_glaas.audit.inside import Report
from roar_glaas.errors import GlaasError

_TIMEOUT_S = 60
_MOST_BYTES = 64 * 1024 * 1024


class Outside:
    """The log of the registry at one address; every answer of another shape is a GlaasError."""

    def __init__(self, url: str) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise GlaasError(f"{url!r} is no address of a registry; write https://HOST")
        self._url = url.rstrip("/") + "/api/v1/log/"

    def get(self, path: str, **query: int) -> dict[str, Any]:
        """One answer, which must be a JSON object. Raises GlaasError."""
        address = self._url + path + ("?" + urlencode(query) if query else "")
        request = Request(address, headers={"Accept": "application/json"})  # noqa: S310 - see above
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                content = answer.read(_MOST_BYTES + 1)
        except HTTPError as error:
            raise GlaasError(f"{address} answers {error.code}") from error
        except (URLError, OSError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            told = getattr(reason, "strerror", None) or reason
            raise GlaasError(f"{address} cannot be read: {told}") from error
        try:
            found = json.loads(content[:_MOST_BYTES])
        except (ValueError, RecursionError) as error:
            raise GlaasError(f"{address} does not answer in JSON") from error
        if not isinstance(found, dict):
            raise GlaasError(f"{address} does not answer with an object")
        return found

    def head(self) -> TreeHead:
        """The newest signed head."""
        return head_of(self.get("head"))

    def keys(self) -> list[LogKey]:
        """The history of the log's keys, as it is told."""
        return keys_of(self.get("keys"))


def audit_url(url: str, remember: Path | None, *, read_entries: bool) -> Report:
    """Check what can be checked from outside; a head that holds is kept in the file `remember`.

    `read_entries` reads every leaf too, and computes the root. Raises GlaasError when the server
    or the file cannot be used.
    """
    findings = Findings()
    outside = Outside(url)
    before = None if remember is None else _recall(remember)
    head, keys = outside.head(), outside.keys()
    for problem in signature_problems(head, keys):
        findings.add(problem)
    try:
        for key in keys:
            _check_key_is_in(outside, findings, key, head)
        if before is not None:
            _compare(outside, findings, before, head, keys)
        records = _read_all(outside, findings, head) if read_entries else {}
    except (*_MALFORMED, ToldError) as error:
        raise GlaasError(f"{url} answers with something else than the log does: {error!r}") from (
            error
        )
    report = Report(findings, head.size, head.root.hex(), 1, [k.key_id.hex() for k in keys])
    report.records = records
    if remember is not None and not findings.count:
        _keep(remember, head, keys)
    return report


def _check_key_is_in(outside: Outside, findings: Findings, key: LogKey, head: TreeHead) -> None:
    told = outside.get(f"records/{key.leaf_index}")
    proof = outside.get("proof/inclusion", leaf=key.leaf_index, size=head.size)
    salt, path = bytes.fromhex(told["salt"]), path_of(proof)
    for problem in key_problems(key, salt, told["record"], path, head):
        findings.add(problem, key.leaf_index)


def _compare(
    outside: Outside, findings: Findings, before: Seen, head: TreeHead, keys: list[LogKey]
) -> None:
    path = []
    if head.size >= before.head.size:
        steps = {"from": before.head.size, "to": head.size}
        path = path_of(outside.get("proof/consistency", **steps))
    for problem in continuity_problems(before, head, keys, path):
        findings.add(problem)


def _read_all(outside: Outside, findings: Findings, head: TreeHead) -> dict[str, int]:
    """Compute the root from every leaf, and the leaf of every record that is told."""
    tree = Growing()
    counts: dict[str, int] = {}
    while tree.size < head.size:
        limit = min(1000, head.size - tree.size)
        page = outside.get("entries", start=tree.size, limit=limit)["entries"]
        if not page:
            raise GlaasError(f"the registry tells no record {tree.size}, of {head.size}")
        for entry in page:
            digest = digest_of(entry, "leafHash")
            if entry["record"] is not None:
                counts[entry["kind"]] = counts.get(entry["kind"], 0) + 1
                if leaf_hash(bytes.fromhex(entry["salt"]), entry["record"].encode()) != digest:
                    findings.add(
                        f"record {tree.size} was changed: its salt and bytes do not give its leaf",
                        tree.size,
                    )
            tree.add(digest)
    if tree.root() != head.root:
        findings.add(f"the {head.size} leaves that are told do not give the root that is signed")
    return dict(sorted(counts.items()))


def _recall(file: Path) -> Seen | None:
    try:
        return seen_of(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GlaasError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError, ToldError) as error:
        raise GlaasError(
            f"{file} holds no remembered tree head; move it away, and what it knew is lost"
        ) from error


def _keep(file: Path, head: TreeHead, keys: list[LogKey]) -> None:
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps(seen_told(head, keys), indent=1) + "\n", encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise GlaasError(f"{file} cannot be written: {error.strerror}") from error


_MALFORMED = (KeyError, TypeError, ValueError, AttributeError)
