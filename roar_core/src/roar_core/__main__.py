"""The `roar` command: what is quick to answer is answered before anything heavier is imported."""

from __future__ import annotations

import gc
import sys

from roar_core.standing_in import forget_own_locale, occupy_standard_descriptors


def main() -> None:
    """Run the command line and exit with its status."""
    occupy_standard_descriptors()
    forget_own_locale()
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from roar_core.cli.failures import explained

        sys.exit(explained(_print_version, is_run=False))
    # Start-up makes many objects and no garbage; looking for some takes 7 ms of 90.
    gc.disable()
    status = _status_of(arguments)
    # As it ends the interpreter looks once more, through everything: another 10 ms.
    gc.freeze()
    sys.exit(status)


def _status_of(arguments: list[str]) -> int:
    if arguments[:1] in (["run"], ["build"]):
        from roar_core.cli.run_words import plain_run

        options = plain_run(arguments)
        if options is not None:
            from roar_core.cli.carry_out import carry_out
            from roar_core.cli.failures import explained

            return explained(lambda: carry_out(options), is_run=True)
    from roar_core.cli.main import run_command_line

    return run_command_line(arguments)


def _print_version() -> int:
    from roar_core import __version__
    from roar_core.cli import output

    output.line(f"roar {__version__}")
    return 0


if __name__ == "__main__":
    main()
