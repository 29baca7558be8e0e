"""The bodies of the registration protocol, as attrs values (GLaaS v1, sections 4.2 to 4.9).

Fields that a client sends besides are passed over, so that newer clients can speak to us.
"""

from __future__ import annotations

from typing import Any

import attrs

from roar_glaas.access.scopes import ScopeRequest

Metadata = str | dict[str, Any] | None


@attrs.frozen(kw_only=True)
class Digest:
    """One digest of an artifact, in hexadecimal."""

    algorithm: str
    digest: str


@attrs.frozen(kw_only=True)
class Artifact:
    """An artifact and what is said of it; the first of `hashes` is its name."""

    hashes: list[Digest]
    size: int | None = None
    source_type: str | None = None
    source_url: str | None = None
    metadata: Metadata = None


@attrs.frozen(kw_only=True)
class Artifacts:
    """The body of `artifacts/batch`."""

    artifacts: list[Artifact]


@attrs.frozen(kw_only=True)
class Job:
    """One job; `timestamp` and `duration_seconds` are in seconds.

    `job_hash` is what the client calls what was done (docs/identity.md, Job): a claim.
    """

    command: str
    timestamp: float
    job_uid: str
    step_number: int
    job_type: str | None = "run"
    git_commit: str | None = ""
    git_branch: str | None = ""
    duration_seconds: float | None = None
    exit_code: int | None = None
    metadata: Metadata = None
    parent_job_uid: str | None = None
    job_hash: str | None = None


@attrs.frozen(kw_only=True)
class Jobs:
    """The body of `jobs/batch`."""

    jobs: list[Job]


@attrs.frozen(kw_only=True)
class JobUids:
    """The body of `jobs/known`: beyond the protocol, for clients that send only what is new."""

    job_uids: list[str]


@attrs.frozen(kw_only=True)
class Link:
    """An artifact that a job read or wrote under a path.

    Without an `algorithm`, which is beyond the protocol, the hash is that of a file in BLAKE3, or
    of a dataset that is known.
    """

    hash: str
    path: str
    size: int | None = None
    byte_ranges: list[list[int]] | None = None
    algorithm: str | None = None


@attrs.frozen(kw_only=True)
class Links:
    """The body of `jobs/{uid}/inputs` and `outputs`."""

    artifacts: list[Link]


@attrs.frozen(kw_only=True)
class JobLinks:
    """What one job read and wrote."""

    job_uid: str
    inputs: list[Link] = attrs.field(factory=list)
    outputs: list[Link] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class LinksOfJobs:
    """The body of `links/batch`: beyond the protocol, for clients with many jobs."""

    links: list[JobLinks]


@attrs.frozen(kw_only=True)
class Membership:
    """A Bloom filter over members of a dataset (docs/identity.md, Bloom membership)."""

    bloom_filter_base64: str | None = None
    bloom_bits: int | None = None
    bloom_hashes: int | None = None


@attrs.frozen(kw_only=True)
class ViewEdge:
    """A dataset of which a job touched some members; `bloom` tells which."""

    relation: str
    target_hash: str
    selected_count: int
    parent_total: int
    bloom: Membership | None = None


@attrs.frozen(kw_only=True)
class ViewEdges:
    """The body of `jobs/{uid}/view-edges`."""

    view_edges: list[ViewEdge]


@attrs.frozen(kw_only=True)
class Component:
    """One member of a composite."""

    relative_path: str
    leaf_kind: str
    component_algorithm: str
    component_digest: str
    component_size: int | None = None
    component_type: str | None = None


@attrs.frozen(kw_only=True)
class Composite:
    """A dataset of many files with one identity."""

    hash: str
    hashes: list[Digest]
    component_count_total: int
    components: list[Component]
    size: int | None = None
    membership_index: Membership | None = None
    metadata: Metadata = None


@attrs.frozen(kw_only=True)
class Expected:
    """What the client counted, to be compared."""

    jobs: int
    inputs: int
    outputs: int


@attrs.frozen(kw_only=True)
class Checkout:
    """The git checkout that work was done in."""

    git_repo: str | None = ""
    git_commit: str | None = ""
    git_branch: str | None = ""


@attrs.frozen(kw_only=True)
class Finalize(Checkout):
    """The body of `finalize`."""

    expected: Expected | None = None
    scope_request: ScopeRequest | None = None


@attrs.frozen(kw_only=True)
class Opening:
    """The body of `registration-sessions`."""

    mode: str = ""
    client_session_id: str | None = None
