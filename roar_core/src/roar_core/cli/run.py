"""`roar run` and `roar build` as click has them: help, and what is wrong with a command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import click

from roar_core.cli.step_words import StepOrCommand
from roar_core.errors import UsageError
from roar_core.run.options import ALGORITHMS, DIRTY, Dirty, RunOptions

_SETTINGS = {
    # Everything from the first word of the command on is the command's own.
    "allow_interspersed_args": False,
    "help_option_names": ["-h", "--help"],
}


_OPTIONS = (
    click.option("-q", "--quiet", is_flag=True, help="Print nothing."),
    click.option(
        "-v", "--verbose", count=True, help="List what was recorded; -vv also what was filtered."
    ),
    click.option("-n", "--name", metavar="NAME", help="A name for the job."),
    click.option("--tracer", metavar="auto|NAME", help="Observe with this one; see: roar tracer"),
    click.option(
        "--backend",
        metavar="auto|none|NAME",
        help="The execution backend that plans the run; none: it runs here, unplanned.",
    ),
    click.option(
        "--no-fallback",
        is_flag=True,
        help="Only this tracer, or the first for auto: no other one takes over.",
    ),
    click.option(
        "--hash",
        "algorithms",
        multiple=True,
        type=click.Choice(ALGORITHMS),
        help="Compute this digest besides blake3; may be repeated.",
    ),
    click.option(
        "--dirty",
        type=click.Choice(DIRTY),
        help="What to do when the checkout has uncommitted changes.",
    ),
    click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="NAME=VALUE",
        help="With @N: give an option of the recorded command another value; may be repeated.",
    ),
    click.option(
        "--add-tag",
        "add_tags",
        multiple=True,
        metavar="KIND=VALUE",
        help="Put this tag on all that it writes; may be repeated. See: roar tag",
    ),
    click.option(
        "--block-tag",
        "block_tags",
        multiple=True,
        metavar="KIND[=VALUE]",
        help="Let this tag of the inputs not pass on to what it writes; may be repeated.",
    ),
    click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [ARGS]…"),
)


def _options(function: Callable[..., int]) -> Callable[..., int]:
    """Give `run` and `build` the same options, in the order help shows them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command(
    cls=StepOrCommand,
    context_settings=_SETTINGS,
    epilog="Examples: roar run python train.py · roar run -n clean -- sh -c 'sort in > out' ·"
    " roar run @3 --set lr=0.1 -- --verbose",
)
@_options
def run(**given: Any) -> int:
    """Run a command and record what it really read and wrote.

    @N, @N.2 or @B1 in place of a command runs that step's recorded command again, in its recorded
    working directory, as a new attempt of the step; what stands behind -- is added to it.

    The command's input, output, exit status and signals are its own. 125: roar refused to start it;
    126: it is not executable; 127: it was not found.
    """
    return _record("run", **given)


@click.command(cls=StepOrCommand, context_settings=_SETTINGS, epilog="Example: roar build make -j4")
@_options
def build(**given: Any) -> int:
    """Like run, for set-up steps: they are numbered @B1, @B2 … on their own."""
    return _record("build", **given)


def _record(
    kind: Literal["run", "build"],
    *,
    quiet: bool,
    verbose: int,
    name: str | None,
    tracer: str | None,
    backend: str | None,
    no_fallback: bool,
    algorithms: tuple[str, ...],
    dirty: Dirty | None,
    overrides: tuple[str, ...],
    add_tags: tuple[str, ...],
    block_tags: tuple[str, ...],
    command: tuple[str, ...],
    step: str | None,
) -> int:
    from roar_core.cli.carry_out import carry_out

    if not command and step is None:
        raise UsageError(f"no command given; try: roar {kind} python train.py")
    if quiet and verbose:
        raise UsageError("-q and -v contradict each other; give one of them")
    if overrides and step is None:
        raise UsageError("--set changes a recorded command: give its step, as in roar run @3 --set")
    options = RunOptions(
        command=command,
        kind=kind,
        name=name,
        tracer=tracer,
        backend=backend,
        algorithms=algorithms,
        dirty=dirty,
        verbosity=-1 if quiet else verbose,
        fallback=False if no_fallback else None,
    )
    if step is not None:
        from roar_core.cli.again import recorded_step

        options = recorded_step(step, overrides, options)
    if add_tags or block_tags:
        from roar_core.cli.tag_words import actions

        options = options._replace(tags=(*options.tags, *actions(add_tags, block_tags)))
    return carry_out(options)
