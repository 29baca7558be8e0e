-- The session database, .roar/roar.db: what was run here, and what it read and wrote.
--
-- This file always describes the newest schema. A fresh database is made from it; an older one is
-- brought here by the numbered functions of migrations.py, and a test compares the two.
--
-- Names and paths are TEXT when they are valid UTF-8, else a BLOB of the raw bytes. Times are
-- integer nanoseconds since the epoch. JSON is ASCII-escaped, so that any name survives in it.

-- Which migrations made this database what it is. PRAGMA user_version holds the newest number.
CREATE TABLE schema_migration (
    version       INTEGER PRIMARY KEY,
    name          TEXT NOT NULL,
    applied_at_ns INTEGER NOT NULL
);

-- An ordered set of jobs. The active session is the newest one; `roar reset` begins another.
CREATE TABLE session (
    id            INTEGER PRIMARY KEY,
    started_at_ns INTEGER NOT NULL
);

-- Sessions that `roar import` brought. Their numbers, and those of their jobs and edges, are negative:
-- what was recorded here is newer, and the active session stays the newest one.
CREATE TABLE imported_session (
    session        INTEGER PRIMARY KEY REFERENCES session (id),
    origin         TEXT NOT NULL UNIQUE,  -- what every graph calls it
    number         INTEGER NOT NULL,      -- in the project where it was recorded
    imported_at_ns INTEGER NOT NULL
);

-- What the programs of a job used, {"python": {name: version}, "system": {...}}. Shared by jobs.
CREATE TABLE package_set (
    id      INTEGER PRIMARY KEY,
    digest  BLOB NOT NULL UNIQUE,   -- BLAKE3-256 of content
    content TEXT NOT NULL
);

-- The machine and interpreter a job ran on, as JSON. Shared by jobs.
CREATE TABLE environment (
    id      INTEGER PRIMARY KEY,
    digest  BLOB NOT NULL UNIQUE,
    content TEXT NOT NULL
);

-- Source files and their digests: zlib of a JSON object, path from the project's root to BLAKE3 in
-- hex or null. Shared by jobs.
CREATE TABLE source_set (
    id      INTEGER PRIMARY KEY,
    digest  BLOB NOT NULL UNIQUE,   -- BLAKE3-256 of content before zlib
    content BLOB NOT NULL
);

-- One execution. Written as `running` before its command starts and completed once, after it ended.
CREATE TABLE job (
    id             INTEGER PRIMARY KEY,   -- in the order of starting
    uid            TEXT NOT NULL UNIQUE,  -- 32 hex digits: which execution
    hash           BLOB,                  -- what was done; equal for a rerun with equal results
    session        INTEGER NOT NULL REFERENCES session (id),
    -- Place: @N, or @BN for a build. A job below another job (`parent`) has no step of its own.
    step_number    INTEGER,
    step_is_build  INTEGER NOT NULL DEFAULT 0,
    attempt        INTEGER,
    step_key       BLOB NOT NULL,         -- hash of kind, project-relative cwd and argv
    rerun_of       TEXT REFERENCES job (uid),
    parent         TEXT REFERENCES job (uid),
    kind           TEXT NOT NULL CHECK (kind IN ('run', 'build', 'get', 'put', 'task')),
    name           TEXT,
    command        TEXT NOT NULL,         -- JSON array of arguments
    project        TEXT NOT NULL,         -- the root that relative paths are told against
    cwd            TEXT NOT NULL,         -- absolute
    state          TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'interrupted')),
    undone_at_ns   INTEGER,               -- `roar pop`: hidden, never deleted
    exit_code      INTEGER,
    signal         TEXT,
    started_at_ns  INTEGER NOT NULL,
    duration_s     REAL,
    tracer         TEXT,
    coverage       TEXT NOT NULL DEFAULT '[]',  -- JSON [[code, count, detail]]; [] is complete
    input_count    INTEGER NOT NULL DEFAULT 0,
    output_count   INTEGER NOT NULL DEFAULT 0,
    git_commit     TEXT,
    git_branch     TEXT,
    git_remote     TEXT,
    git_dirty      INTEGER NOT NULL DEFAULT 0,
    git_snapshot   TEXT,
    package_set    INTEGER REFERENCES package_set (id),
    environment    INTEGER REFERENCES environment (id),
    -- The roar that records the job. When that process is gone, a running job is an orphan.
    owner_pid          INTEGER,
    owner_start_ticks  INTEGER,
    owner_boot_id      TEXT,
    owner_pid_namespace INTEGER,
    owner_machine      TEXT,               -- its name: a project may be shared by several
    UNIQUE (session, step_is_build, step_number, attempt)
);
CREATE INDEX job_by_session ON job (session);
CREATE INDEX job_by_hash ON job (hash);
CREATE INDEX job_by_step_key ON job (session, step_key);
CREATE INDEX job_running ON job (id) WHERE state = 'running';
CREATE INDEX job_by_parent ON job (parent, started_at_ns) WHERE parent IS NOT NULL;

-- The files of its commit, or of its snapshot, that a job read as code: they are no inputs.
CREATE TABLE job_source (
    job        INTEGER PRIMARY KEY REFERENCES job (id),
    source_set INTEGER NOT NULL REFERENCES source_set (id)
);

-- Bytes, known by their hash. Names, modes and times are no part of it: paths belong to edges.
CREATE TABLE artifact (
    id            INTEGER PRIMARY KEY,
    blake3        BLOB UNIQUE,            -- NULL only for objects known by another digest alone
    size          INTEGER NOT NULL,       -- bytes
    first_seen_ns INTEGER NOT NULL
);

-- Further digests of the same bytes. Weak algorithms may name two artifacts, so all three are the key.
CREATE TABLE digest (
    algorithm TEXT NOT NULL,              -- sha256, sha512, md5, etag, composite-blake3 ...
    value     TEXT NOT NULL,              -- lower-case hex, or an etag as the store gives it
    artifact  INTEGER NOT NULL REFERENCES artifact (id),
    PRIMARY KEY (algorithm, value, artifact)
) WITHOUT ROWID;
CREATE INDEX digest_by_artifact ON digest (artifact);

-- An artifact at a path, as an input or output of a job. Rows of one job are neighbours, and grow in
-- the order in which jobs were completed.
CREATE TABLE edge (
    id         INTEGER PRIMARY KEY,
    job        INTEGER NOT NULL REFERENCES job (id),
    direction  INTEGER NOT NULL CHECK (direction IN (0, 1)),  -- 0 input, 1 output
    path       NOT NULL,                  -- relative inside the job's project, else absolute; an object's URL
    artifact   INTEGER REFERENCES artifact (id),  -- NULL: hash unknown
    size       INTEGER NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('file', 'composite', 'object')),
    hash_state TEXT NOT NULL CHECK (hash_state IN ('exact', 'before_change', 'unknown')),
    producer   INTEGER REFERENCES job (id)        -- of an input: the job that wrote these bytes
);
CREATE INDEX edge_by_job ON edge (job, direction);
CREATE INDEX edge_by_artifact ON edge (artifact, direction, job);
CREATE INDEX edge_by_path ON edge (path, direction, artifact, job);
CREATE INDEX edge_by_producer ON edge (producer) WHERE producer IS NOT NULL;

-- A dataset of many files with one identity. Its members are columns of bytes and no rows (ADR 0010),
-- in the order of their names; where there are too many, only a Bloom filter is kept.
CREATE TABLE composite (
    artifact     INTEGER PRIMARY KEY REFERENCES artifact (id),
    layout       TEXT NOT NULL,           -- zarr, lerobot, parquet-shards ...
    member_count INTEGER NOT NULL,
    paths        BLOB,                    -- zlib: names below the root, each ended by a NUL
    digests      BLOB,                    -- 32 bytes of BLAKE3 each
    sizes        BLOB,                    -- zlib: 8 bytes each, little-endian
    kinds        BLOB,                    -- zlib: a byte each; 0 file, 1 symlink, 2 composite
    bloom_bits   INTEGER,
    bloom_hashes INTEGER,
    bloom        BLOB
);

-- The dataset that files of these names and fingerprints are: an unchanged one is known by its stats.
CREATE TABLE composite_version (
    version  BLOB PRIMARY KEY,            -- BLAKE3 of layout, names and fingerprints
    artifact INTEGER NOT NULL REFERENCES composite (artifact)
) WITHOUT ROWID;

-- How much of a dataset a job touched; `edge` is its edge of kind composite.
CREATE TABLE composite_use (
    edge     INTEGER PRIMARY KEY REFERENCES edge (id),
    members  INTEGER,                     -- how many there were; NULL: too many to count
    touched  INTEGER NOT NULL,
    is_whole INTEGER NOT NULL,            -- 0: the composite is made of the touched members alone
    bitmap   BLOB                         -- zlib: a bit for each member of the composite; NULL: all
);

-- How a store calls the bytes of an object: `edge` is its edge of kind object.
CREATE TABLE object_version (
    edge    INTEGER PRIMARY KEY REFERENCES edge (id),
    version TEXT,
    etag    TEXT,
    ranges  TEXT                          -- JSON, [[first, behind the last], ...]; NULL: the whole
);

-- Jobs that wrote some members of a dataset that was read, besides the edge's producer.
CREATE TABLE composite_source (
    edge INTEGER NOT NULL REFERENCES edge (id),
    job  INTEGER NOT NULL REFERENCES job (id),
    PRIMARY KEY (edge, job)
) WITHOUT ROWID;
CREATE INDEX composite_source_by_job ON composite_source (job);

-- Who read what of whom: all that lineage walks along.
CREATE VIEW passing (consumer, producer, artifact, edge) AS
    SELECT job, producer, artifact, id FROM edge WHERE direction = 0 AND producer IS NOT NULL
    UNION ALL
    SELECT edge.job, source.job, edge.artifact, edge.id
    FROM composite_source source JOIN edge ON edge.id = source.edge;

-- === Tasks: what execution backends bring back (store/tasks.py) ===
-- A job below the one that drove it: one attempt at one task, in its backend's own words.
CREATE TABLE task (
    job     INTEGER PRIMARY KEY REFERENCES job (id),
    driver  INTEGER NOT NULL REFERENCES job (id),
    backend TEXT NOT NULL,
    task    TEXT NOT NULL,
    attempt INTEGER NOT NULL,             -- from 1
    place   TEXT NOT NULL,                -- host or node, '' when it is not known
    role    TEXT NOT NULL DEFAULT 'task' CHECK (role IN ('task', 'infrastructure')),
    grouped TEXT NOT NULL DEFAULT '',     -- which tasks of its name belong together: rank 3
    is_declared INTEGER NOT NULL DEFAULT 0,  -- known from its specification alone
    UNIQUE (driver, backend, task, attempt)
);
-- Which parts of an attempt are merged: each is merged once, however often it is collected.
CREATE TABLE task_part (
    job  INTEGER NOT NULL REFERENCES task (job),
    part TEXT NOT NULL,                   -- '' for an attempt that came in one piece
    PRIMARY KEY (job, part)
) WITHOUT ROWID;
-- Results that passed from a task to another one, or to the driver, without a file between them.
CREATE TABLE need (
    job         INTEGER NOT NULL REFERENCES job (id),  -- who got the result
    backend     TEXT NOT NULL,
    task        TEXT NOT NULL,            -- whose it is, in the backend's words
    producer    INTEGER REFERENCES job (id),  -- the attempt that gave it; NULL: not reported yet
    given_at_ns INTEGER,                  -- of what a driver got: when that attempt ended
    PRIMARY KEY (job, backend, task)
) WITHOUT ROWID;
CREATE INDEX need_by_task ON need (task, backend);
CREATE INDEX need_by_producer ON need (producer) WHERE producer IS NOT NULL;
CREATE INDEX need_by_time ON need (job, given_at_ns) WHERE given_at_ns IS NOT NULL;
-- === end of tasks ===

-- Documents users attach. Append-only: the newest version counts.
CREATE TABLE label (
    entity_type TEXT NOT NULL CHECK (entity_type IN ('session', 'job', 'artifact')),
    entity      INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    metadata    TEXT NOT NULL,            -- JSON object
    origin      TEXT NOT NULL CHECK (origin IN ('user', 'system')),
    written_at_ns INTEGER NOT NULL,
    PRIMARY KEY (entity_type, entity, version)
) WITHOUT ROWID;

-- Tags (license, contains_pii ...) put on or taken off an artifact.
CREATE TABLE tag_event (
    id       INTEGER PRIMARY KEY,
    artifact INTEGER NOT NULL REFERENCES artifact (id),
    kind     TEXT NOT NULL,
    value    TEXT NOT NULL,
    action   TEXT NOT NULL CHECK (action IN ('add', 'remove', 'bind', 'unbind')),
    origin   TEXT NOT NULL CHECK (origin IN ('user', 'system')),
    job      INTEGER REFERENCES job (id),
    at_ns    INTEGER NOT NULL
);
CREATE INDEX tag_event_by_artifact ON tag_event (artifact);

-- Tags that a run was told to put on all it writes (--add-tag), or to pass no further (--block-tag).
CREATE TABLE job_tag (
    job    INTEGER NOT NULL REFERENCES job (id),
    action TEXT NOT NULL CHECK (action IN ('add', 'block')),
    kind   TEXT NOT NULL,
    value  TEXT NOT NULL,                 -- of a block '' is every value
    PRIMARY KEY (job, action, kind, value)
) WITHOUT ROWID;

-- Where else a job was logged.
CREATE TABLE tracker_reference (
    id      INTEGER PRIMARY KEY,
    job     INTEGER NOT NULL REFERENCES job (id),
    tracker TEXT NOT NULL,
    run_id  TEXT,                         -- NULL: only the server is known
    project TEXT,
    entity  TEXT,
    name    TEXT,
    url     TEXT,
    host    TEXT,                         -- the tracker's server
    title   TEXT                          -- what people call the tracker
);
CREATE INDEX tracker_reference_by_job ON tracker_reference (job);

-- Which jobs are registered where: what a registry answered when they were sent, or asked for.
CREATE TABLE receipt (
    job          INTEGER NOT NULL REFERENCES job (id),
    registry     TEXT NOT NULL,           -- https://host
    owner        TEXT NOT NULL,           -- whose they are there, as this machine calls it
    session_hash TEXT NOT NULL,
    visibility   TEXT NOT NULL CHECK (visibility IN ('private', 'public')),
    url          TEXT,                    -- where people look at the session
    learnt_at_ns INTEGER NOT NULL,
    PRIMARY KEY (job, registry, owner)
) WITHOUT ROWID;

-- Registrations that are not finished: how far sending has come. The secret that goes with one, if
-- any, is in a file of its own (.roar/registrations).
CREATE TABLE registration (
    registry     TEXT NOT NULL,
    owner        TEXT NOT NULL,
    name         TEXT NOT NULL,           -- what the registry calls it
    content      BLOB NOT NULL,           -- BLAKE3 of what is sent
    uids         TEXT NOT NULL,           -- JSON array: the jobs that are sent
    sent         INTEGER NOT NULL,        -- requests that were answered
    session_hash TEXT,                    -- what it came to, once it is finalised
    url          TEXT,
    begun_at_ns  INTEGER NOT NULL,
    PRIMARY KEY (registry, owner)
) WITHOUT ROWID;

-- Which jobs were proven to be in a registry's log, under a signed head of how many leaves.
CREATE TABLE logged (
    job          INTEGER NOT NULL REFERENCES job (id),
    registry     TEXT NOT NULL,
    session_hash TEXT NOT NULL,
    leaf         INTEGER NOT NULL,        -- the number of the job's record
    size         INTEGER NOT NULL,
    proven_at_ns INTEGER NOT NULL,
    PRIMARY KEY (job, registry, session_hash)
) WITHOUT ROWID;

-- The labels that a registry and this database last had in common, masked as they were sent.
CREATE TABLE label_agreed (
    entity_type  TEXT NOT NULL CHECK (entity_type IN ('session', 'job', 'artifact')),
    entity       INTEGER NOT NULL,
    registry     TEXT NOT NULL,
    session_hash TEXT NOT NULL,
    version      INTEGER NOT NULL,        -- the registry's
    metadata     TEXT NOT NULL,           -- JSON object, without what roar writes by itself
    agreed_at_ns INTEGER NOT NULL,
    PRIMARY KEY (entity_type, entity, registry, session_hash)
) WITHOUT ROWID;

-- Who made bytes that are still read, of jobs that were deleted (`roar db prune`).
CREATE TABLE pruned (
    artifact      INTEGER NOT NULL REFERENCES artifact (id),
    uid           TEXT NOT NULL,          -- of the job that is gone
    is_registered INTEGER NOT NULL,       -- whether a registry had it then
    pruned_at_ns  INTEGER NOT NULL,
    PRIMARY KEY (artifact, uid)
) WITHOUT ROWID;

-- Digests of files that have not changed since. The rowid grows with every insert, so the smallest
-- are the oldest. Numbers of 64 unsigned bits are stored as their signed twins.
CREATE TABLE stat_cache (
    id           INTEGER PRIMARY KEY,
    dev          INTEGER NOT NULL,
    ino          INTEGER NOT NULL,
    algorithm    TEXT NOT NULL,
    size         INTEGER NOT NULL,
    mtime_ns     INTEGER NOT NULL,
    ctime_ns     INTEGER NOT NULL,
    value        TEXT NOT NULL,
    hashed_at_ns INTEGER NOT NULL,
    UNIQUE (dev, algorithm, ino)
);
