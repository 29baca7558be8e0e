"""Artifacts and datasets of the graph document as the protocol knows them.

docs/identity.md, "Composites" and "Membership", says what a dataset's name and its filter are.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from roar_core.identity import BloomFilter
from roar_core.redaction import mask
from roar_core.registry.publishing.link_documents import digest_of, is_part

Document = dict[str, Any]

# The digests that a registry can tell apart; others stay with the job that tells of them.
_ALGORITHMS = ("blake3", "sha256", "sha512", "md5", "etag")
_MOST_OF_ETAG = 64


class Limits(NamedTuple):
    """How much of a dataset's members one request takes, in numbers and in bytes."""

    components: int
    size: int


# GLaaS v1, section 2.2 of its identities: what every registry takes.
PLAIN = Limits(1_000, 90 * 1024)


def artifact_to_wire(artifact: Mapping[str, Any]) -> Document | None:
    """What `artifacts/batch` is told of an artifact; None of a dataset, or without known digest."""
    if artifact["composite"] is not None:
        return None
    hashes = _digests(artifact)
    return {"hashes": hashes, "size": artifact["size"], "source_type": None} if hashes else None


def dataset_to_wire(artifact: Mapping[str, Any], limits: Limits) -> Document | None:
    """What `artifacts/composites` is told of a dataset; None when only a registry knows its name.

    Beyond the limits its first members are told; the filter is always that of all of them.
    """
    dataset = artifact["composite"]
    algorithm, _, digest = artifact["hash"].partition(":")
    if dataset is None or not algorithm.startswith("composite-"):
        return None
    components, is_cut = _components(dataset["components"], limits)
    if is_cut:
        components = _fitting(components, limits)
    told = dataset["filter"]
    if told is None and dataset["components"] is not None:
        told = BloomFilter.of(_leaf(one) for one in dataset["components"]).to_wire()
    return {
        "hash": digest,
        "hashes": [{"algorithm": algorithm, "digest": digest}],
        "size": artifact["size"],
        "source_type": None,
        "component_count_total": dataset["members"],
        "components": components,
        "membership_index": {
            "total_components": dataset["members"],
            "stored_components": len(components),
            **(told or {}),
        },
        "metadata": json.dumps({"roar": {"layout": dataset["layout"]}}, separators=(",", ":")),
    }


def views_of(job: Mapping[str, Any], datasets: Mapping[str, Mapping[str, Any]]) -> list[Document]:
    """The view edges of a graph job: datasets of which it read or wrote some members.

    `datasets` are artifacts by hash. Which members, only a dataset that lists them can tell.
    """
    return [
        {
            "relation": relation,
            "target_hash": digest,
            "selected_count": edge["composite"]["touched"],
            "parent_total": max(
                edge["composite"]["members"] or _members(datasets.get(edge["hash"])),
                edge["composite"]["touched"],
            ),
            **_selected(edge, datasets.get(edge["hash"])),
        }
        for relation, side in (("consumes", "inputs"), ("produces", "outputs"))
        for edge in job[side]
        if is_part(edge) and (digest := digest_of(edge)) is not None
    ]


def _selected(edge: Mapping[str, Any], artifact: Mapping[str, Any] | None) -> Document:
    dataset = artifact["composite"] if artifact else None
    bits = edge["composite"]["bits"]
    if bits is None or dataset is None or dataset["components"] is None:
        return {}
    bitmap = b64decode(bits)
    chosen = (
        _leaf(component)
        for place, component in enumerate(dataset["components"])
        if place // 8 < len(bitmap) and bitmap[place // 8] >> place % 8 & 1
    )
    return {"bloom": BloomFilter.of(chosen).to_wire()}


def _members(artifact: Mapping[str, Any] | None) -> int:
    dataset = artifact["composite"] if artifact else None
    return int(dataset["members"]) if dataset else 0


def _leaf(component: Mapping[str, Any]) -> tuple[str, str]:
    algorithm, _, digest = component["hash"].partition(":")
    return algorithm, digest


def _digests(artifact: Mapping[str, Any]) -> list[Document]:
    """The digests of an artifact, its name first."""
    name = artifact["hash"].partition(":")[0]
    known = {
        algorithm: digest
        for algorithm, digest in artifact["digests"].items()
        if algorithm in _ALGORITHMS
        and len(digest) <= (_MOST_OF_ETAG if algorithm == "etag" else 128)
    }
    ordered = sorted(known, key=lambda algorithm: (algorithm != name, algorithm))
    if name not in known:
        return []
    return [{"algorithm": algorithm, "digest": known[algorithm]} for algorithm in ordered]


def _components(
    components: Iterable[Mapping[str, Any]] | None, limits: Limits
) -> tuple[list[Document], bool]:
    """The members that may be told, and whether it is not all of them.

    A name of no text would give another hash, and one with a secret in it stays here.
    """
    if components is None:
        return [], False
    told = []
    looked_at = list(islice(components, limits.components + 1))
    for component in looked_at:
        if "raw" not in component and not mask(component["path"]).what:
            algorithm, digest = _leaf(component)
            told.append(
                {
                    "relative_path": component["path"],
                    "leaf_kind": component["kind"],
                    "component_algorithm": algorithm,
                    "component_digest": digest,
                    "component_size": component["size"],
                    "component_type": _TYPES.get(component["kind"]),
                }
            )
    cut = told[: limits.components]
    size = sum(len(json.dumps(one)) + 2 for one in cut)
    return cut, len(looked_at) > limits.components or size > limits.size


_TYPES = {"symlink": "inode/symlink", "composite": "application/vnd.roar.composite"}
# Beside its members a dataset's document has a filter, of 2 bytes a member at most, and its names.
_REST = 4 * 1024


def _fitting(components: Sequence[Document], limits: Limits) -> list[Document]:
    """The first of some members, as many as go into one request."""
    left = limits.size - _REST
    kept = []
    for component in components:
        left -= len(json.dumps(component)) + 2
        if left < 0:
            break
        kept.append(component)
    return kept
