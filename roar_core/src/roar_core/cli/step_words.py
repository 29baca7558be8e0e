"""Read `roar run @3 --set lr=0.1 -- --verbose`: options around a step, arguments behind --.

Everything behind an ordinary command's first word is the command's own; behind a step, roar's
options go on. A program that is really called `@3` is run with `roar run -- @3`.
"""

from __future__ import annotations

import click


class StepOrCommand(click.Command):
    """A command whose parameter `step` is the reference given in place of a command, else None.

    `command` then holds the arguments to add.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        options, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        found = options.get("command")
        # Without any word click 8.3 and newer have a mark of their own there.
        words = list(found) if isinstance(found, list | tuple) else []
        before = given[: len(given) - len(words)]
        is_literal = before[-1:] == ["--"]
        if ctx.resilient_parsing or not words or is_literal or not _is_step(words[0]):
            rest = super().parse_args(ctx, given)
            ctx.params["step"] = None
            return rest
        step, *after = words
        end = after.index("--") if "--" in after else len(after)
        try:
            super().parse_args(ctx, [*before, *after[:end]])
        except click.NoSuchOption as error:
            raise click.UsageError(_no_such_option(step, error.option_name, after), ctx) from error
        stray: tuple[str, ...] = ctx.params["command"]
        if stray:
            raise click.UsageError(
                f"{stray[0]!r} is no option of roar run {step}; put what is to be added to its"
                f" command behind --, as in: roar run {step} -- {stray[0]}",
                ctx,
            )
        ctx.params |= {"step": step, "command": tuple(after[end + 1 :])}
        return []


def _is_step(word: str) -> bool:
    if not word.startswith("@"):
        return False
    from roar_core.store.references import is_step

    return is_step(word)


def _no_such_option(step: str, option: str, after: list[str]) -> str:
    """The option is the recorded command's, most likely: say how to change or add it there."""
    name = option.lstrip("-")
    value = next((w.partition("=")[2] for w in after if w.startswith(f"{option}=")), "") or "VALUE"
    return (
        f"roar run has no option {option}; to change it in the command of {step}: --set"
        f" {name}={value}, to add it: roar run {step} -- {option}"
    )
