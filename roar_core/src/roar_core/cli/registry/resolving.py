"""How a reading command answers from what is recorded here, and from a registry where it may.

Here comes first. With `--remote` the registry is asked too; with `registry.lookup` only when
nothing here answers. What it tells is laid over a copy of the session database, on which the
command then runs as always.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from roar_core.cli import output
from roar_core.cli.opening import open_project
from roar_core.errors import AmbiguousError, NotFoundError, RegistryError
from roar_core.project import Project, find_project, working_directory

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection
    from roar_core.registry.resolving.asking import Answers, Direction
    from roar_core.store.writer import Store

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Opened(NamedTuple):
    """What a command runs on: `refs` are as `store` finds them.

    `answers` is what a registry told, None when none was asked; `connection` asks it further.
    """

    project: Project
    store: Store
    refs: tuple[str, ...]
    answers: Answers | None = None
    connection: Connection | None = None


def remote_option(function: F) -> F:
    """The option `--remote`."""
    words = "Ask the registry, too; what it knows is told with where it comes from."
    return click.option("--remote", is_flag=True, help=words)(function)


def answered(
    refs: Sequence[str],
    direction: Direction,
    ask: Callable[[Opened], T],
    *,
    remote: bool,
    asks_when_empty: bool = False,
) -> T:
    """What `ask` says of `refs`. It must not print anything before it knows the answer.

    `asks_when_empty`: where nothing was ever recorded the registry is asked unbidden. Raises what
    `ask` raises, and RegistryError when the registry is what was asked for and it does not answer.
    """
    from roar_core.store.writer import Store

    if not remote:
        try:
            with open_project(Store) as (project, store):
                return ask(Opened(project, store, tuple(refs)))
        except AmbiguousError:
            raise
        except NotFoundError as nothing:
            registry = _registry_to_look_up(refs, nothing, asks_when_empty=asks_when_empty)
            if registry is None:
                if _askable(refs):
                    nothing.args = (f"{nothing}; a registry is asked with --remote",)
                raise
            try:
                with _laid_over(refs, direction, is_lookup=True) as opened:
                    return ask(opened)
            except RegistryError as error:
                output.warn(str(error))
                raise nothing from error
    with _laid_over(refs, direction) as opened:
        return ask(opened)


def _registry_to_look_up(
    refs: Sequence[str], nothing: NotFoundError, *, asks_when_empty: bool
) -> str | None:
    """The registry to ask because nothing here answers; None when it is not to be asked."""
    from roar_core.cli.registry.reaching import registry_config

    project = find_project(working_directory())
    config = registry_config()
    is_empty = not project.database.exists()
    askable = _askable(refs)
    if not askable or not (config.get("registry.lookup") or (is_empty and asks_when_empty)):
        return None
    url = str(config.get("registry.url"))
    what = "nothing is recorded here" if is_empty else f"nothing here answers to {askable[0]!r}"
    output.tell(f"{what}, so {url} is asked")
    return url


def _askable(refs: Sequence[str]) -> list[str]:
    """Those that a registry may know by a digest, or by its own page."""
    from roar_core.registry.resolving.names import digits_in, is_url

    return [
        ref
        for ref in refs
        if is_url(ref) or digits_in(ref) or os.path.isfile(ref)  # noqa: PTH113
    ]


@contextmanager
def _laid_over(
    refs: Sequence[str], direction: Direction, *, is_lookup: bool = False
) -> Iterator[Opened]:
    """A copy of what is recorded here with what the registry knows around `refs` in it."""
    from roar_core.cli.registry.reaching import reach, registry_config
    from roar_core.registry.resolving.asking import ask
    from roar_core.registry.resolving.questions import names_asked, target_here

    with ExitStack() as stack:
        project, local = _open_what_is_here(stack)
        connection = stack.enter_context(reach(registry_config(), is_lookup=is_lookup))
        url = connection.url
        names = {ref: names_asked(ref, local, project, direction, url) for ref in refs}
        is_here = [local is not None and target_here(local, ref, project) for ref in refs]
        try:
            answers = ask(connection, [n for some in names.values() for n in some], direction)
            if direction == "upstream" and answers.sessions:
                _add_builds(connection, answers)
        except RegistryError as error:
            if not all(is_here) or local is None:
                raise
            output.warn(f"{error}; this is what is recorded here")
            yield Opened(project, local, tuple(refs))
            return
        store = _overlay(stack, local, project, answers)
        found = tuple(
            ref if known else _called(ref, names[ref], answers, store)
            for ref, known in zip(refs, is_here, strict=True)
        )
        yield Opened(project, store, found, answers, connection)


def _open_what_is_here(stack: ExitStack) -> tuple[Project, Store | None]:
    from roar_core.store.writer import Store

    try:
        return stack.enter_context(open_project(Store))
    except NotFoundError:
        return find_project(working_directory()), None


def _add_builds(connection: Any, answers: Answers) -> None:
    """What was built before the jobs of a session ran: they need it, and read none of it."""
    from roar_core.registry.resolving.asking import ask

    built = ask(connection, sorted(answers.sessions), "builds")
    for uid, job in built.jobs.items():
        answers.jobs.setdefault(uid, job)
        answers.wire.setdefault(uid, built.wire[uid])
    answers.artifacts = built.artifacts | answers.artifacts


def _overlay(stack: ExitStack, local: Store | None, project: Project, answers: Answers) -> Store:
    from roar_core.registry.resolving.checking import Checked
    from roar_core.registry.resolving.overlay import lay_over, overlay_of

    told = Checked(answers, str(project.root))
    store = stack.enter_context(overlay_of(local, project))
    lay_over(store, told, project, answers.url)
    if told.left_out:
        more = f" and {len(told.left_out) - 1:,} more" if len(told.left_out) > 1 else ""
        output.warn(f"{answers.url} tells what cannot be true; left out: {told.left_out[0]}{more}")
    if not answers.is_whole:
        output.warn(f"{answers.url} knows more than it told; this is not all")
    return store


def _called(ref: str, names: list[str], answers: Answers, store: Store) -> str:
    """What the copy calls a REF that nothing here answers to. Raises NotFoundError."""
    from roar_core.registry.resolving.overlay import session_number

    for name in names:
        meant = answers.named.get(name, [])
        if len(meant) > 1:
            candidates = ", ".join(f"{str(one)[:27]} ({one.kind})" for one in meant[:5])
            raise AmbiguousError(f"{ref!r} is ambiguous at {answers.url}: {candidates}")
        if not meant:
            continue
        (one,) = meant
        if not answers.is_about(name, one):
            raise RegistryError(f"{answers.url} answered about something else than {ref!r}")
        if one.kind == "artifact" and not answers.tells_of(one):
            raise NotFoundError(
                f"{answers.url} has {ref!r} and shows you nothing of it; `roar whoami` says who you"
                " are there, `roar login` signs you in"
            )
        if one.kind != "session":
            return str(one)
        number = session_number(store, answers.url, one.name)
        if number is None:
            raise NotFoundError(f"{answers.url} tells of no job in the session {ref!r}")
        return f"session:{number}"
    if not names:
        return ref
    raise NotFoundError(f"{ref!r} is known neither here nor at {answers.url}")
