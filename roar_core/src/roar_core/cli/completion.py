"""`roar completion`: the script that teaches a shell to complete `roar`."""

from __future__ import annotations

import click

from roar_core.cli import output


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    Example: eval "$(roar completion bash)"
    """
    from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

    kinds = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    # The base method: bash's own would start a bash to ask for its version.
    script = ShellComplete.source(kinds[shell](click.Command("roar"), {}, "roar", "_ROAR_COMPLETE"))
    output.line(script.strip())
