"""The core's own settings: every section and key, with its type, default, choices and help.

A key's `kind` names its type to people too: `boolean`, `count` (a whole number from 0), `seconds`,
`size` (bytes, or text such as `64 MiB`), `text`, `list of text`, `table of text`, `boolean or table
of booleans`.
Where a key says none, the type of its default decides.
"""

from __future__ import annotations

from roar_core.hookspecs import ConfigKey, ConfigSection
from roar_core.telemetry.endpoint import DEFAULT_ENDPOINT, DEFAULT_REGISTRY

MIB = 1 << 20

SOURCE_SUFFIXES = (
    *(".py", ".pyi", ".pyx", ".pxd", ".r", ".R", ".jl", ".m", ".lua", ".rb", ".pl", ".php"),
    *(".sh", ".bash", ".zsh", ".fish", ".sql", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx"),
    *(".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".cu", ".cuh", ".s", ".S"),
    *(".rs", ".go", ".java", ".kt", ".scala", ".swift", ".zig", ".f", ".f90", ".cmake", ".mk"),
)

SECTIONS = (
    ConfigSection(
        "run",
        (
            ConfigKey(
                "backend",
                "auto",
                "The execution backend that plans a run: its name, auto (the one that knows the "
                "command), or none: then backends do nothing at all.",
            ),
            ConfigKey(
                "fallback",
                True,
                "Whether another tracer may take over where the first one does not work or see.",
            ),
            ConfigKey(
                "grace",
                0.25,
                "How long to wait for background processes that outlive the command.",
                "seconds",
            ),
            ConfigKey(
                "patience",
                10.0,
                "How long a backend or storage proxy may take to answer before the run goes on.",
                "seconds",
            ),
            ConfigKey(
                "proxies",
                True,
                "Whether storage proxies stand between commands and object stores.",
            ),
            ConfigKey(
                "tracer",
                "auto",
                "The tracer that observes a run: one of `roar tracer`, or auto, the first usable.",
            ),
        ),
        "How commands are run and observed.",
    ),
    ConfigSection(
        "fragments",
        (
            ConfigKey(
                "carrier",
                "backend",
                "How what tasks elsewhere did comes back: as their backend has it, or by the "
                "registry, encrypted. Yours alone to set; a project's files cannot.",
                choices=("backend", "registry"),
            ),
        ),
        "How tasks report to the run that they belong to.",
    ),
    ConfigSection(
        "hash",
        (
            ConfigKey(
                "algorithms",
                (),
                "Digests to compute of every artifact besides blake3.",
                choices=("sha256", "sha512", "md5"),
            ),
            ConfigKey(
                "preimage_max",
                64 * MIB,
                "Inputs up to this size are hashed while the command runs: it may change them.",
                "size",
            ),
            ConfigKey(
                "preimage_wait",
                0.2,
                "How long a program about to change a file it has read may be held for its digest.",
                "seconds",
            ),
            ConfigKey("workers", 0, "Threads that hash; 0 means one for each core.", "count"),
        ),
        "How bytes get their names.",
    ),
    ConfigSection(
        "git",
        (
            ConfigKey(
                "dirty",
                "snapshot",
                "What a run does with uncommitted changes: keep a snapshot of them, allow them "
                "unrecorded, or refuse to run.",
                choices=("snapshot", "allow", "refuse"),
            ),
            ConfigKey("snapshot_max", 10 * MIB, "The largest snapshot that is taken.", "size"),
        ),
        "How the version of the code is recorded.",
    ),
    ConfigSection(
        "filters",
        (
            ConfigKey("system", True, "Leave files of the operating system out of lineage."),
            ConfigKey("packages", True, "Record files of interpreters and packages as packages."),
            ConfigKey("source", True, "Let the commit stand for tracked, unmodified source files."),
            ConfigKey("caches", True, "Leave out caches that a run can rebuild."),
            ConfigKey("claimed", True, "Leave out files that an analyzer claims for its tool."),
            ConfigKey("ignore", (), "Glob patterns of further files to leave out."),
            ConfigKey(
                "source_suffixes",
                SOURCE_SUFFIXES,
                "Endings of file names that make a tracked file source code.",
            ),
        ),
        "Which classes of files are left out of lineage.",
    ),
    ConfigSection(
        "analyzers",
        (
            ConfigKey(
                "experiment_trackers",
                True,
                "Whether references to experiment trackers are recorded: for all, or by name.",
                "boolean or table of booleans",
            ),
        ),
        "What analyzers do.",
    ),
    ConfigSection(
        "composites",
        (
            ConfigKey(
                "detect", True, "Whether datasets of many files are recorded as one artifact."
            ),
            ConfigKey(
                "paths", (), "Glob patterns of folders that are datasets, whatever is in them."
            ),
            ConfigKey(
                "untouched_max",
                256 * MIB,
                "How much of a dataset that a run did not touch is hashed to name it as a whole.",
                "size",
            ),
            ConfigKey(
                "components_max",
                1_000_000,
                "Up to how many members are listed; of larger datasets a Bloom filter is kept.",
            ),
        ),
        "How datasets of many files are recorded.",
    ),
    ConfigSection(
        "tags",
        (ConfigKey("custom_kinds", (), "Kinds of tags of your own, besides roar's."),),
        "What artifacts can be tagged with.",
    ),
    ConfigSection(
        "environment",
        (
            ConfigKey(
                "variables", (), "Environment variables whose values are recorded with a run."
            ),
            ConfigKey(
                "set",
                {},
                "Variables given to every recorded command; layers add up, name by name.",
                "table of text",
            ),
        ),
        "What a run gets of surroundings, and what is recorded of them.",
    ),
    ConfigSection(
        "registry",
        (
            ConfigKey("url", DEFAULT_REGISTRY, "The registry that is published to and asked."),
            ConfigKey(
                "lookup", False, "Whether what is not recorded here is looked up at the registry."
            ),
            ConfigKey(
                "scope",
                "",
                "What is published as: anonymous, private, public or a project, OWNER/PROJECT; "
                "empty: private when signed in, else anonymous.",
            ),
            ConfigKey(
                "ssh_key",
                "",
                "The SSH key that signs requests; empty: the first of ~/.ssh. "
                "Yours alone to set; a project's files cannot.",
            ),
        ),
        "Where lineage is published and looked up.",
    ),
    ConfigSection(
        "redaction",
        (
            ConfigKey(
                "values", (), "Secrets themselves, which are masked inside of longer texts, too."
            ),
            ConfigKey(
                "names",
                (),
                "Further names of flags, variables and labels that have secrets as values.",
            ),
            ConfigKey(
                "rules",
                {},
                "Regular expressions of further secrets, by a name of your choice.",
                "table of text",
            ),
            ConfigKey(
                "allow",
                (),
                "Regular expressions of what is no secret: of a whole value, or of NAME=VALUE.",
            ),
            ConfigKey(
                "trust_project",
                False,
                "Whether allow counts in a project's files, too. Yours alone to set.",
            ),
            ConfigKey("entropy", False, "Whether words that look drawn at random are masked."),
        ),
        "What is masked in whatever leaves the machine. Layers add up: none takes from another.",
    ),
    ConfigSection(
        "telemetry",
        (
            ConfigKey("enabled", True, "Whether anonymous usage statistics are kept and sent."),
            ConfigKey(
                "endpoint",
                DEFAULT_ENDPOINT,
                "Where they are sent; empty: nowhere.",
            ),
        ),
        "Usage statistics: yours alone to set, with roar telemetry; a project's files cannot.",
    ),
)
