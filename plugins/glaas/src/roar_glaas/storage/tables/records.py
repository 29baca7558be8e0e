"""What was registered: sessions, jobs, artifacts, the edges between them, labels. Append-only.

Texts are kept as masked at the door. `leaf_index` names the record of the log that a row was taken
from (see `tables.log`); when that record is withheld, the row's texts are NULL.
"""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.storage.searching import file_name
from roar_glaas.storage.tables.columns import BigId, metadata, refers, surrogate, time_us

# One published registration: a DAG of jobs, of one owner and in one scope.
session = sa.Table(
    "session",
    metadata,
    surrogate(),
    sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),
    refers("owner_id", "owner.id"),
    refers("project_id", "project.id", optional=True),
    # Who may see it beside its owner and its project's members: see access.visibility. The one
    # thing that may change, from private to public.
    sa.Column("visibility", sa.String(8), nullable=False),  # "public" | "private"
    refers("registered_by", "owner.id", optional=True),  # the person, where somebody was known
    sa.Column("git_repo", sa.Text, nullable=True),
    sa.Column("git_commit", sa.String(64), nullable=False),
    sa.Column("git_branch", sa.Text, nullable=True),
    sa.Column("client_version", sa.String(64), nullable=False),
    time_us("registered_at_us"),
    sa.Column("leaf_index", sa.BigInteger, nullable=False),
    sa.Index(None, "registered_at_us"),
    sa.Index(None, "git_commit", "registered_at_us"),
    sa.Index(None, "owner_id", "registered_at_us"),
    sa.Index(None, "project_id", "registered_at_us"),
    sa.Index(None, "registered_by", "registered_at_us"),
    sa.Index(None, "leaf_index"),
)

job = sa.Table(
    "job",
    metadata,
    surrogate(),
    # Which execution: 128 bits as the client gave them. One owner registers it once.
    sa.Column("uid", sa.LargeBinary(16), nullable=False),
    # What was done, as the client names it (docs/identity.md, Job): equal for equal work.
    sa.Column("job_hash", sa.LargeBinary(32), nullable=True),
    refers("owner_id", "owner.id"),
    refers("session_id", "session.id"),
    refers("parent_id", "job.id", optional=True),
    sa.Column("kind", sa.String(32), nullable=False),  # run, build, get, put, task, ray_task …
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("command", sa.Text, nullable=True),
    time_us("started_at_us"),
    sa.Column("duration_us", sa.BigInteger, nullable=True),
    sa.Column("exit_code", sa.Integer, nullable=True),
    sa.Column("git_commit", sa.String(64), nullable=False),
    sa.Column("git_branch", sa.Text, nullable=True),
    sa.Column("metadata", sa.Text, nullable=True),  # a JSON object
    sa.Column("leaf_index", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("uid", "owner_id"),
    sa.Index(None, "job_hash", "started_at_us"),
    sa.Index(None, "session_id", "step"),
    sa.Index(None, "git_commit", "started_at_us"),
    sa.Index(None, "started_at_us"),
    sa.Index(None, "leaf_index"),
)

# Bytes, by the first digest they were named with. The row says nothing but "registered".
artifact = sa.Table(
    "artifact",
    metadata,
    surrogate(),
    sa.Column("digest", sa.LargeBinary(64), nullable=False),
    sa.Column("algorithm", sa.String(32), nullable=False),  # blake3, composite-blake3, sha256 …
    sa.UniqueConstraint("digest", "algorithm"),
)

# What one session says of an artifact.
artifact_fact = sa.Table(
    "artifact_fact",
    metadata,
    surrogate(),
    refers("artifact_id", "artifact.id"),
    refers("session_id", "session.id"),
    sa.Column("size_bytes", sa.BigInteger, nullable=True),
    sa.Column("source_type", sa.String(16), nullable=True),
    sa.Column("source_url", sa.Text, nullable=True),
    sa.Column("metadata", sa.Text, nullable=True),
    sa.Column("leaf_index", sa.BigInteger, nullable=False),
    sa.Index(None, "artifact_id", "session_id"),
    sa.Index(None, "session_id"),
    sa.Index(None, "leaf_index"),
)

# "These bytes also have this digest", said by one session: a claim, never taken for proof.
digest_claim = sa.Table(
    "digest_claim",
    metadata,
    sa.Column("digest", sa.LargeBinary(64), primary_key=True),
    sa.Column("algorithm", sa.String(32), primary_key=True),
    sa.Column("artifact_id", BigId, sa.ForeignKey("artifact.id"), primary_key=True),
    sa.Column("session_id", BigId, sa.ForeignKey("session.id"), primary_key=True),
    sa.Column("leaf_index", sa.BigInteger, nullable=False),
    sa.Index(None, "artifact_id"),
    sqlite_with_rowid=False,
)

# A data set of many files with one identity: how many members, and their Bloom filter.
composite = sa.Table(
    "composite",
    metadata,
    surrogate(),
    refers("artifact_id", "artifact.id"),
    refers("session_id", "session.id"),
    sa.Column("size_bytes", sa.BigInteger, nullable=True),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("stored", sa.BigInteger, nullable=False),
    # Whether the stored components are all of them and give the digest: checked here, not claimed.
    sa.Column("is_proven", sa.Boolean, nullable=False),
    sa.Column("bloom", sa.LargeBinary, nullable=True),
    sa.Column("bloom_bits", sa.BigInteger, nullable=True),
    sa.Column("bloom_hashes", sa.Integer, nullable=True),
    sa.Column("metadata", sa.Text, nullable=True),
    sa.Column("leaf_index", sa.BigInteger, nullable=False),
    sa.Index(None, "artifact_id", "session_id"),
    sa.Index(None, "session_id"),
    sa.Index(None, "leaf_index"),
)

component = sa.Table(
    "component",
    metadata,
    sa.Column("composite_id", BigId, sa.ForeignKey("composite.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, nullable=True),
    sa.Column("leaf_kind", sa.String(16), nullable=False),  # file, symlink, composite
    sa.Column("algorithm", sa.String(32), nullable=False),
    sa.Column("digest", sa.LargeBinary(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=True),
    sa.Column("type", sa.String(128), nullable=True),
    sa.Index(None, "digest"),
    sqlite_with_rowid=False,
)

# A job read ("in") or wrote ("out") an artifact under a path.
edge = sa.Table(
    "edge",
    metadata,
    sa.Column("job_id", BigId, sa.ForeignKey("job.id"), primary_key=True),
    sa.Column("direction", sa.String(3), primary_key=True),
    sa.Column("artifact_id", BigId, sa.ForeignKey("artifact.id"), primary_key=True),
    # Which of the paths that the job used the same bytes under: 0, 1 …
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, nullable=True),  # None: a part of a composite
    sa.Column("size_bytes", sa.BigInteger, nullable=True),
    sa.Column("byte_ranges", sa.Text, nullable=True),  # JSON [[first, last], …]
    # Of a composite: how many of its members were touched, and which (Bloom filter, as JSON).
    sa.Column("selected", sa.BigInteger, nullable=True),
    sa.Column("total", sa.BigInteger, nullable=True),
    sa.Column("bloom", sa.Text, nullable=True),
    sa.Index(None, "artifact_id", "direction", "job_id"),
    sqlite_with_rowid=False,
)
sa.Index(
    "ix_edge_file_name",
    file_name(edge.c.path),
    *(edge.c.job_id, edge.c.direction, edge.c.artifact_id, edge.c.ordinal),
)

# Versions of the label document of a session, a job or an artifact (as one session sees it).
label = sa.Table(
    "label",
    metadata,
    surrogate(),
    sa.Column("entity", sa.String(8), nullable=False),  # dag, job, artifact
    refers("session_id", "session.id"),
    refers("job_id", "job.id", optional=True),
    refers("artifact_id", "artifact.id", optional=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=True),  # a JSON object
    sa.Column("origins", sa.Text, nullable=True),  # JSON: dotted key -> "user" | "system"
    time_us("at_us"),
    sa.Column("leaf_index", sa.BigInteger, nullable=False),
    sa.Index(None, "session_id", "entity", "job_id", "artifact_id", "version"),
    sa.Index(None, "artifact_id"),
    sa.Index(None, "job_id"),
    sa.Index(None, "leaf_index"),
)
