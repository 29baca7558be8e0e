"""Understand an ordinary `roar run …` without click, whose import takes longer than many a command.

Only what is plainly right is understood here. Everything else, `--help` and mistakes too, gives
None and is click's to explain; a test holds the two to one answer.
"""

from __future__ import annotations

from roar_core.run.options import ALGORITHMS, DIRTY, RunOptions

_VALUED = {
    "-n": "name",
    "--name": "name",
    "--tracer": "tracer",
    "--backend": "backend",
    "--hash": "hash",
    "--dirty": "dirty",
}
_VERBOSE = {"-v": 1, "-vv": 2, "--verbose": 1}


def plain_run(arguments: list[str]) -> RunOptions | None:
    """The options of `run` or `build` when `arguments`, without `roar`, are a plain use of it."""
    if not arguments or arguments[0] not in ("run", "build"):
        return None
    given: dict[str, str] = {}
    algorithms: list[str] = []
    verbose, quiet, fallback = 0, False, None
    words = iter(arguments[1:])
    command: list[str] = []
    for word in words:
        if word.startswith("@"):
            return None  # a recorded step, not a command; behind -- it would be one
        if word == "--" or not word.startswith("-"):
            command = [*words] if word == "--" else [word, *words]
        elif word in ("-q", "--quiet"):
            quiet = True
        elif word == "--no-fallback":
            fallback = False
        elif word in _VERBOSE:
            verbose += _VERBOSE[word]
        elif (option := _VALUED.get(word)) and (value := next(words, None)) is not None:
            if option == "hash":
                algorithms.append(value)
            given[option] = value
        else:
            return None
    is_known = set(algorithms) <= set(ALGORITHMS) and given.get("dirty") in (None, *DIRTY)
    if not command or not is_known or (quiet and verbose):
        return None
    return RunOptions(
        command=tuple(command),
        kind="build" if arguments[0] == "build" else "run",
        name=given.get("name"),
        tracer=given.get("tracer"),
        backend=given.get("backend"),
        algorithms=tuple(algorithms),
        dirty=given.get("dirty"),  # type: ignore[arg-type]  # checked above
        verbosity=-1 if quiet else verbose,
        fallback=fallback,
    )
