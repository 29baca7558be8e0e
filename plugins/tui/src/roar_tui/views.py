"""What the screen says of the documents, as plain text: no function here knows the screen.

Names recorded from the file system may hold anything. All that is returned is printable, on one
line where a line is promised, and meant as text: whoever draws it must not read markup in it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from rich.cells import cell_len, set_cell_size

from roar_core.spelling import size

Document = Mapping[str, Any]

# A command may have two megabytes of arguments; who wants them all asks `roar show`.
COMMAND_LIMIT = 4_000
TITLE_WIDTH = 48
REASON_LIMIT = 20

MARKS = {"succeeded": "✓", "failed": "✗", "interrupted": "!", "running": "…", "undone": "-"}
_INTERPRETERS = ("python", "pypy", "bash", "sh", "dash", "zsh", "Rscript", "ruby", "perl", "node")
_REASONS = {
    "input_changed": "{file} changed",
    "input_missing": "{file} is missing",
    "code_changed": "its code {file} changed",
    "code_missing": "its code {file} is missing",
    "upstream_rerun": "{step} was run again with another result",
    "upstream_undone": "{step}, which it read from, was undone",
    "upstream_stale": "{step} is stale",
}


class Row(NamedTuple):
    """The line of a step. `words` is what a filter looks in, lower case."""

    uid: str
    mark: str
    step: str
    title: str
    inputs: str
    outputs: str
    remarks: str
    words: str


class EdgeLine(NamedTuple):
    """A line of an input or output; `producer` is the job to go to, None where there is none."""

    text: str
    hash: str | None
    producer: str | None


def printable(text: str) -> str:
    """`text` with everything but visible characters and blanks spelled out, on one line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _spelled(c) for c in text)


def fit(text: str, width: int) -> str:
    """`text`, printable, cut with `…` to at most `width` columns of a terminal."""
    # No character takes less than no column, and wide ones are few: look at a bounded part.
    text = printable(text[: width * 4 + 1])
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def row(step: Document) -> Row:
    """The line of a step of the document `dag`, or of a job in any list."""
    name = title(step["name"], step["command"])
    said = "; ".join(remarks(step))
    command = " ".join(step["command"])[:COMMAND_LIMIT]
    place = step["step"] or step["uid"][:8]
    return Row(
        uid=step["uid"],
        mark=MARKS.get(step["state"], "?"),
        step=place,
        title=fit(name, TITLE_WIDTH),
        inputs=f"{step['input_count']:,}",
        outputs=f"{step['output_count']:,}",
        remarks=fit(said, 200),
        words=f"{place} {name} {command} {step['state']} {said}".casefold(),
    )


def matching(rows: Sequence[Row], words: str) -> list[Row]:
    """The rows that have every one of `words` in them, in their order; all when there are none."""
    wanted = words.casefold().split()
    return [each for each in rows if all(word in each.words for word in wanted)]


def title(name: str | None, command: Sequence[str]) -> str:
    """A step's given name, else its script and the arguments, else its command."""
    if name:
        return name
    program = PurePosixPath(command[0]).name if command else "(no command)"
    rest = list(command[1:])
    if program.rstrip("0123456789.") in _INTERPRETERS and rest and not rest[0].startswith("-"):
        return shlex.join(rest)
    return shlex.join([program, *rest])


def remarks(step: Document) -> list[str]:
    """What must not be missed: that it failed, that it was not all seen, why it is stale."""
    found = []
    if step["state"] not in ("succeeded", "running"):
        found.append(ending(step))
    if step["coverage"] == "partial":
        found.append("partial")
    if step.get("newest_state", step["state"]) != step["state"]:
        found.append(f"attempt {step['attempts']} {step['newest_state']}")
    reasons = step.get("stale_reasons") or ()
    if reasons:
        more = f" and {len(reasons) - 1:,} more" if len(reasons) > 1 else ""
        found.append(f"stale: {reason(reasons[0])}{more}")
    elif step.get("stale"):
        found.append("stale")
    return found


def reason(document: Document) -> str:
    """`data.csv changed` and the like, for a `stale_reason`."""
    file = document["file"]
    words = _REASONS.get(document["code"], str(document["code"]))
    said = words.format(file=file and place(file), step=document["step"])
    return f"{said}: {document['detail']}" if document["detail"] else said


def ending(job: Document) -> str:
    """How a job ended: `succeeded`, `failed with exit code 3`, `failed, killed by SIGTERM`."""
    if job["state"] == "failed" and job["signal"]:
        return f"failed, killed by {job['signal']}"
    if job["state"] == "failed" and job["exit_code"] is not None:
        return f"failed with exit code {job['exit_code']}"
    return str(job["state"])


def heading(job: Document) -> str:
    """The first line of the details: `@3  train.py`."""
    place_of = job["step"] or job["uid"][:8]
    attempt = f" (attempt {job['attempt']})" if (job["attempt"] or 1) > 1 else ""
    return fit(f"{place_of}{attempt}  {title(job['name'], job['command'])}", 120)


def facts(job: Document, step: Document | None) -> list[tuple[str, str]]:
    """Name and value of what is known of a job, a line each; `step` is its step of `dag`."""
    ended = ending(job)
    if job["duration_s"] is not None:
        ended += f" in {duration(job['duration_s'])}"
    found = [
        ("command", command_line(job["command"])),
        ("in", job["cwd"]),
        ("when", f"{local_time(job['started_at'])}, {ended}"),
        ("session", "" if job["session"] is None else str(job["session"])),
        ("hash", job["hash"] or "not known while it runs"),
        ("commit", commit(job["git"])),
        ("packages", packages(job["packages"])),
        ("coverage", coverage(job["coverage"])),
    ]
    stale = (step or {}).get("stale_reasons", ())
    found.extend(("stale", reason(each)) for each in stale[:REASON_LIMIT])
    found.extend(("tracker", _tracker(run)) for run in job["trackers"])
    return [(name, printable(value)) for name, value in found if value]


def _tracker(run: Document) -> str:
    return " ".join(filter(None, (run["title"], run["url"] or run["run_id"])))


def command_line(command: Sequence[str]) -> str:
    """The command as a shell would take it, cut where it is longer than anyone reads."""
    text = shlex.join(command)
    left = len(text) - COMMAND_LIMIT
    return text if left <= 0 else f"{text[:COMMAND_LIMIT]}… and {left:,} characters more"


def commit(git: Document) -> str:
    """`1a2b3c4d5e6f on main, with changes`; empty outside of a checkout."""
    if not git["commit"]:
        return ""
    branch = f" on {git['branch']}" if git["branch"] else ""
    return f"{git['commit'][:12]}{branch}{', with changes' if git['dirty'] else ''}"


def packages(found: Mapping[str, Mapping[str, str]]) -> str:
    """`12 python, 3 system`; empty when none are known to have been used."""
    return ", ".join(f"{len(names):,} {kind}" for kind, names in found.items() if names)


def coverage(document: Document) -> str:
    """`complete`, or `partial` and every hole that is known."""
    holes = "; ".join(map(_hole, document["reasons"]))
    return f"{document['state']}: {holes}" if holes else str(document["state"])


def _hole(hole: Document) -> str:
    times = f" x{hole['count']}" if hole["count"] > 1 else ""
    return f"{hole['code']}{times}{': ' if hole['detail'] else ''}{hole['detail']}"


def edge_line(edge: Document, names: Mapping[str, str]) -> EdgeLine:
    """A line of an input or output; `names` are the steps by the uid of their jobs."""
    parts = [fit(place(edge), 80), size(edge["size"]), short_hash(edge["hash"])]
    if edge["composite"] and edge["composite"]["members"] is not None:
        parts.insert(1, f"{edge['composite']['members']:,} members")
    producer = edge["producer"]
    if producer:
        parts.append(f"← {names.get(producer, producer[:8])}")
    return EdgeLine("  ".join(parts), edge["hash"], producer)


def count(number: int, noun: str) -> str:
    """`1 input`, `2 inputs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def place(path: Document) -> str:
    """A path from the root of the project, absolute outside of it; may be unprintable."""
    return str(path["relative"] or path["path"])


def walk_lines(document: Document) -> list[tuple[str, str | None]]:
    """Each line of an answer of `lineage` or `impact`, and the job it is about, if it is one."""
    jobs = [job for job in document["jobs"] if job["distance"] > 0]
    lines: list[tuple[str, str | None]] = [(_walk_line(job), job["uid"]) for job in jobs]
    ends: Iterable[Document] = document.get("inputs") or document.get("outputs") or ()
    for used in ends:
        text = f"  {fit(place(used), 80)}  {size(used['size'])}  {short_hash(used['hash'])}"
        lines.append((text, None))
    return lines


def _walk_line(job: Document) -> str:
    line = row(job)
    session = f" of session {job['session']}" if job["session"] is not None else ""
    return f"{line.mark} {line.step}{session}  {line.title}  {line.remarks}".rstrip()


def short_hash(name: str | None) -> str:
    """`blake3:1a2b3c4d5e6f`, as roar takes it for a reference."""
    if name is None:
        return "unknown"
    algorithm, _, digits = name.partition(":")
    return f"{algorithm}:{digits[:12]}"


def duration(seconds: float) -> str:
    """`0.04 s`, `12.3 s`, `3 min 20 s`."""
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest:02d} s"


def local_time(text: str) -> str:
    """An RFC 3339 time in the reader's own time zone."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def _spelled(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode's mark for an undecodable byte
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
