"""`roar tracer`: which mechanisms can observe a run here, choosing one, and why one cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import attrs
import click

from roar_core.cli import output
from roar_core.cli.documents import document
from roar_core.cli.settings import current_config, write_setting
from roar_core.errors import NotFoundError, PluginError, TracerError, UsageError
from roar_core.hookspecs import Enableable, Preflight, Tracer
from roar_core.plugins import Tracers, call_object, tracers

_NONE = "no tracer is installed; from a checkout: pip install ./plugins/tracer_preload"
_TRIAL = "roar.trial"
_SEES = {
    "sees_static": "static programs",
    "sees_raw_syscalls": "raw system calls",
    "sees_setuid": "setuid programs",
    "sees_io_uring": "io_uring",
    "sees_foreign_abi": "32-bit programs",
}


class _Checked(NamedTuple):
    tracer: Tracer
    preflight: Preflight


@click.group("tracer", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_context
def tracer(context: click.Context, as_json: bool) -> None:
    """List, choose and check tracers.

    Without a command: every tracer, whether it works here, what it sees and what it costs. The one
    that the next run takes is marked with *.

    Example: roar tracer check preload
    """
    if context.invoked_subcommand is not None:
        return
    wanted = current_config().get("run.tracer")
    found = tracers()
    checked = [_check(found, each) for each in found.usable]
    chosen = _chosen(wanted, checked)
    if as_json:
        output.data(_table_document(wanted, chosen, checked, found))
        return
    for failure in found.failures:
        output.warn(str(failure))
    if not checked:
        output.note(_NONE)
        return
    rows = [
        (
            "*" if each.tracer.name == chosen else "",
            each.tracer.name,
            "usable" if each.preflight.ok else each.preflight.reason,
            _sight(each.tracer),
            each.tracer.abilities.cost,
        )
        for each in checked
    ]
    output.table(rows, ("", "name", "state", "sees", "cost"))


@tracer.command()
@click.argument("name")
@click.option("--global", "everywhere", is_flag=True, help="For all your projects.")
def use(name: str, everywhere: bool) -> None:
    """Observe runs with the tracer NAME, or `auto` for the first that works.

    Example: roar tracer use auto
    """
    if name != "auto":
        found = tracers()
        checked = _check(found, _named(found, name))
        if not checked.preflight.ok:
            output.warn(f"{name} does not work here now: {_problem(checked.preflight)}")
    write_setting("run.tracer", name, everywhere)


class _WithCommand(click.Command):
    """Keeps what stands after `--` for a command to try."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split at the first `--`; the rest is what click is told."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[_TRIAL] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The usage line, with what click does not know of."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


@tracer.command(cls=_WithCommand)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_context
def check(context: click.Context, name: str | None, as_json: bool) -> int:
    """Check afresh whether a tracer works here, and say what to do if not.

    With a command after `--`, run it for real under each usable one (its output is thrown away,
    nothing is recorded) and say whether all of it was seen.

    Exit 1 when the tracer NAME, or without a name every tracer, is unusable.

    Example: roar tracer check ptrace -- ./my-static-program
    """
    found = tracers()
    selected = found.usable if name is None else (_named(found, name),)
    command = context.meta[_TRIAL]
    checked = [_try(found, _check(found, each), command) for each in selected]
    if as_json:
        output.data(document("tracer_check", tracers=[_check_fields(each) for each in checked]))
    else:
        for failure in found.failures:
            output.warn(str(failure))
        for each in checked:
            _print_check(each)
        if not checked:
            output.note(_NONE)
    return 0 if any(each.preflight.ok for each in checked) else 1


@tracer.command()
@click.argument("name")
def enable(name: str) -> None:
    """Install and start the service of the tracer NAME, once for this machine.

    Example: sudo roar tracer enable ebpf
    """
    found = tracers()
    each = _with_service(found, name)
    settings = current_config().section(name)
    output.note(_serve(found, name, "enabling its service", lambda: each.enable(settings)))


@tracer.command()
@click.argument("name")
def disable(name: str) -> None:
    """Stop the service of the tracer NAME and remove what `enable` installed.

    Example: sudo roar tracer disable ebpf
    """
    found = tracers()
    each = _with_service(found, name)
    output.note(_serve(found, name, "disabling its service", each.disable))


def _serve(found: Tracers, name: str, doing: str, call: Callable[[], str]) -> str:
    """What the tracer says it did; a refusal of its own is told as such, not as a fault."""
    try:
        return call_object(found.refs[name], doing, call)
    except PluginError as error:
        if isinstance(error.__cause__, TracerError):
            raise error.__cause__ from None
        raise


def _with_service(found: Tracers, name: str) -> Enableable:
    each = _named(found, name)
    if not isinstance(each, Enableable):
        raise UsageError(f"the tracer {name} has no service: it is there as it is")
    return each


def _check(found: Tracers, each: Tracer) -> _Checked:
    """Run one preflight; a tracer that raises is unusable, for that reason."""
    try:
        ref = found.refs[each.name]
        result = call_object(ref, "checking whether it works here", each.preflight)
    except PluginError as error:
        result = Preflight(False, str(error))
    return _Checked(each, result)


def _try(found: Tracers, checked: _Checked, command: tuple[str, ...]) -> _Checked:
    """The verdict after the command was tried, where there is one and the tracer may be used."""
    if not command or not checked.preflight.ok:
        return checked
    from roar_core.run.trial import try_tracer

    ref = found.refs[checked.tracer.name]

    def call(doing: str, function: Callable[..., Any], *arguments: Any) -> Any:
        return call_object(ref, doing, function, *arguments)

    try:
        trial = try_tracer(checked.tracer, command, call)
    except PluginError as error:
        return checked._replace(preflight=Preflight(False, str(error)))
    line = ("trial", trial.saw_everything, str(trial))
    checks = (*checked.preflight.checks, line)
    if trial.saw_everything:
        return checked._replace(preflight=Preflight(ok=True, checks=checks))
    reason = f"it did not see all of {command[0]}"
    return checked._replace(
        preflight=Preflight(False, reason, "try the other tracers: roar tracer", checks)
    )


def _chosen(wanted: str, checked: list[_Checked]) -> str | None:
    """The name of the tracer the next run takes, None when it would find none."""
    for each in checked:
        if wanted in {"auto", each.tracer.name} and each.preflight.ok:
            return each.tracer.name
    return None


def _named(found: Tracers, name: str) -> Tracer:
    for each in found.usable:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in found.usable) or "none"
    raise NotFoundError(f"no tracer is called {name!r}; installed: {known}")


def _problem(preflight: Preflight) -> str:
    return "; ".join(filter(None, (preflight.reason, preflight.remedy)))


def _sight(each: Tracer) -> str:
    missed = [words for flag, words in _SEES.items() if not getattr(each.abilities, flag)]
    return f"all but {', '.join(missed)}" if missed else "everything"


def _print_check(each: _Checked) -> None:
    preflight = each.preflight
    state = output.style("usable", "green") if preflight.ok else output.style("unusable", "red")
    output.line(f"{each.tracer.name}: {state}")
    for what, passed, detail in preflight.checks:
        mark = output.style("ok", "green") if passed else output.style("no", "red")
        shown = output.printable(detail)
        output.line(f"  {mark}  {output.printable(what)}{f': {shown}' if shown else ''}")
    if not preflight.ok:
        output.line(output.printable(f"  because {preflight.reason}"))
        if preflight.remedy:
            output.line(output.printable(f"  remedy: {preflight.remedy}"))


def _check_fields(each: _Checked) -> dict[str, Any]:
    return {
        "name": each.tracer.name,
        "usable": each.preflight.ok,
        "reason": each.preflight.reason or None,
        "remedy": each.preflight.remedy or None,
        "checks": [
            {"what": what, "passed": passed, "detail": detail}
            for what, passed, detail in each.preflight.checks
        ],
    }


def _table_document(
    wanted: str, chosen: str | None, checked: list[_Checked], found: Tracers
) -> dict[str, Any]:
    rows = []
    for each in checked:
        ref = found.refs[each.tracer.name]
        rows.append(
            {
                **_check_fields(each),
                "distribution": ref.distribution,
                "version": ref.version,
                "priority": each.tracer.priority,
                "abilities": attrs.asdict(each.tracer.abilities),
            }
        )
    failures = [str(failure) for failure in found.failures]
    return document("tracers", configured=wanted, chosen=chosen, tracers=rows, failures=failures)
