"""`roar export`: lineage in an open format, for other tools and other people."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from roar_core.cli import output, wording
from roar_core.cli.opening import open_project
from roar_core.errors import PluginError, RoarError, UsageError

if TYPE_CHECKING:
    from roar_core.contracts import Offer
    from roar_core.redaction import Redactor


@click.command()
@click.argument("ref", required=False, metavar="[REF]")
@click.option("-f", "--format", "format_", default="json", metavar="NAME", help="See --list.")
@click.option("-o", "--output", "target", metavar="FILE", help="Write to FILE, not to stdout.")
@click.option(
    "--absolute-paths",
    is_flag=True,
    help="Tell paths outside the project, and host names, as they are.",
)
@click.option("--with-secrets", is_flag=True, help="Do not mask passwords and tokens.")
@click.option("--list", "list_", is_flag=True, help="List the formats.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print a JSON document.")
def export(
    ref: str | None,
    format_: str,
    target: str | None,
    absolute_paths: bool,
    with_secrets: bool,
    list_: bool,
    as_json: bool,
) -> None:
    """Write all that REF came from in an open format; without REF, that of the current session.

    REF is a step (@3), a job, an artifact's hash, a path, a dataset or session:N. Paths outside the
    project are told as /…/name; secrets in arguments and variables are masked, and told on stderr.

    Examples: roar export model.pkl -o model.graph.json; roar export @3 --format openlineage
    """
    if list_:
        _list(as_json=as_json)
        return
    if as_json:
        raise UsageError("--json goes with --list; the graph as JSON is: roar export --format json")
    offer = _exporter(format_)
    from roar_core.cli.settings import current_config
    from roar_core.config.redacting import redactor_of
    from roar_core.export.graph import Options, graph_of
    from roar_core.lineage.target import find_target
    from roar_core.store.writer import Store

    redactor = redactor_of(current_config(), output.warn)
    with open_project(Store) as (project, store), store.snapshot() as db:
        found = find_target(store, ref or "session:current", project)
        graph = graph_of(db, store, found, Options(absolute_paths, with_secrets, redactor))
        with writing(target) as file:
            write(offer, graph, file)
        if target is not None:
            jobs, artifacts = len(graph["jobs"]), len(graph["artifacts"])
            output.tell(
                f"wrote {wording.count(jobs, 'job')} and {wording.count(artifacts, 'artifact')}"
                f" to {target}"
            )
        note_masked(graph, redactor)


def note_masked(graph: Mapping[str, Any], redactor: Redactor) -> None:
    """Say on stderr which secrets the graph does not tell, and which it must tell."""
    if graph["secrets"]:
        return
    masked = [
        f"{entry['what']} in {job['step'] or job['uid'][:8]}"
        for job in graph["jobs"]
        for entry in job["masked"]
    ]
    members = 0
    for artifact in graph["artifacts"]:
        name = artifact["hash"].partition(":")[2][:12]
        masked += [f"{entry['what']} in {name}" for entry in artifact.get("masked", ())]
        listed = (artifact["composite"] or {}).get("components") or ()
        members += sum(bool(redactor.mask(member["path"]).found) for member in listed)
    if masked:
        places = list(dict.fromkeys(masked))
        more = f" and {len(places) - 5} more" if len(places) > 5 else ""
        output.warn(f"masked {wording.count(len(masked), 'secret')}: {', '.join(places[:5])}{more}")
    if members:
        output.warn(
            f"{wording.count(members, 'member')} of datasets have what looks like a secret in their"
            " names, which are part of the hash and told as they are"
        )


def _exporters() -> tuple[Sequence[Offer], Sequence[str]]:
    from roar_core.plugins import offered

    found = offered("roar.exporters")
    return found.offers, [str(failure) for failure in found.failures]


def _exporter(name: str) -> Offer:
    offers, failures = _exporters()
    for failure in failures:
        output.warn(failure)
    for offer in offers:
        if offer.value.format == name:
            return offer
    known = ", ".join(offer.value.format for offer in offers)
    raise UsageError(f"there is no format {name!r}; there are {known}")


def _list(*, as_json: bool) -> None:
    offers, failures = _exporters()
    rows: list[dict[str, Any]] = [
        {
            "format": offer.value.format,
            "about": (type(offer.value).__doc__ or "").strip().partition("\n")[0],
            "distribution": offer.ref.distribution,
        }
        for offer in offers
    ]
    if as_json:
        from roar_core.cli.documents import document

        output.data(document("formats", formats=rows))
    else:
        output.table((row["format"], row["about"], row["distribution"]) for row in rows)
    for failure in failures:
        output.warn(failure)


class _Watched(io.BufferedIOBase):
    """A target that remembers its own failures: a full disk is no fault of the exporter's."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        """Leave it to the target: who closes it flushes it."""


def write(offer: Offer, graph: Mapping[str, Any], file: IO[bytes]) -> None:
    """Have an exporter write a graph; PluginError when it fails, OSError when the target does."""
    from roar_core.plugins import call_object

    target = _Watched(file)
    doing = f"writing {offer.value.format}"
    try:
        call_object(offer.ref, doing, offer.value.write, graph, target)
    except PluginError:
        if target.failure is not None:
            raise target.failure from None
        raise


@contextmanager
def writing(target: str | None) -> Iterator[IO[bytes]]:
    """Where the export goes; a file is there whole or, when something fails, not at all."""
    if target is None or target == "-":
        if sys.stdout is None:
            raise RoarError("cannot write the result: standard output is closed")
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            sys.stdout = None  # or the interpreter tries again at its end
            raise RoarError(f"cannot write the result: {error.strerror}") from error
        return
    folder = os.path.dirname(target) or "."  # noqa: PTH120 - a name of any bytes
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".roar-export-", delete=False) as file:
            try:
                yield file
                os.fchmod(file.fileno(), 0o666 & ~_umask())
                file.close()
                os.replace(file.name, target)  # noqa: PTH105
            except BaseException:
                os.unlink(file.name)  # noqa: PTH108
                raise
    except OSError as error:
        raise RoarError(f"cannot write {target!r}: {error.strerror}") from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
