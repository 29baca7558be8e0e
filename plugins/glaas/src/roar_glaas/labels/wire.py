"""The bodies of the label protocol, as attrs values (GLaaS v1, sections 4.9 and 7)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Label:
    """The whole label document of the session, of a job or of an artifact.

    `base_version` is the version that it was made of, 0 for none; None: it takes the place of any,
    and who wrote its keys is what `key_origins` says.
    """

    entity_type: str
    session_hash: str
    metadata: dict[str, Any]
    job_uid: str | None = None
    artifact_hash: str | None = None
    key_origins: dict[str, str] = attrs.field(factory=dict)
    base_version: int | None = None


@attrs.frozen(kw_only=True)
class Labels:
    """The body of `labels/batch` and `labels/sync`."""

    labels: list[Label]


@attrs.frozen(kw_only=True)
class Change:
    """What is to change of one document: `metadata` is merged into it, `deleted_keys` leave it.

    `base_version` is the version that the client knows, 0 for none; None: it does not say.
    """

    entity_type: str
    session_hash: str | None = None
    job_uid: str | None = None
    artifact_hash: str | None = None
    metadata: dict[str, Any] = attrs.field(factory=dict)
    deleted_keys: list[str] = attrs.field(factory=list)
    base_version: int | None = None


@attrs.frozen(kw_only=True)
class Reconcile:
    """The body of `labels/reconcile`.

    `session_hash` is that of changes which name none. `prune` deletes the keys that people set and
    that `metadata` does not have.
    """

    labels: list[Change]
    session_hash: str | None = None
    mode: str = "sync_user_labels"
    dry_run: bool = False
    prune: bool = False


@attrs.frozen(kw_only=True)
class Named:
    """What has labels: a session, or a job or an artifact in it by its whole name."""

    entity_type: str
    session_hash: str
    job_uid: str | None = None
    artifact_hash: str | None = None


@attrs.frozen(kw_only=True)
class Asked:
    """The body of `labels/current/batch`: beyond the protocol, for clients with many questions."""

    labels: list[Named]


def bytes_of(labels: Iterable[Label | Change]) -> int:
    """About as many bytes as these take to keep."""
    return sum(len(json.dumps(attrs.asdict(body))) for body in labels)
