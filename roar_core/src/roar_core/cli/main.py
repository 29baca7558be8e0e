"""The `roar` group: a table of commands, each imported only when it is called."""

from __future__ import annotations

import os

import click

from roar_core.cli.failures import explain, explained
from roar_core.errors import UsageError

# name -> (module:attribute, one line of help); help is printed from here, without importing.
COMMANDS = {
    "run": ("roar_core.cli.run:run", "Run a command and record what it really read and wrote."),
    "build": ("roar_core.cli.run:build", "Like run, for set-up steps: numbered @B1, @B2 …"),
    "get": ("roar_core.cli.transfer.get:get", "Fetch files, and record where they came from."),
    "put": ("roar_core.cli.transfer.put:put", "Upload files, and publish what they came from."),
    "rerun": ("roar_core.cli.rerun:rerun", "Run steps again, and all that read their results."),
    "init": ("roar_core.cli.init:init", "Make the current directory a project."),
    "status": ("roar_core.cli.status:status", "Summarise the current session."),
    "log": ("roar_core.cli.log:log", "List the jobs of the session, newest first."),
    "show": ("roar_core.cli.show:show", "Show a job, an artifact, or the recipe of a file."),
    "collect": ("roar_core.cli.collect:collect", "Bring in tasks that reported after their run."),
    "dag": ("roar_core.cli.dag:dag", "Draw the graph of the session."),
    "lineage": ("roar_core.cli.lineage:lineage", "Show every job that something came from."),
    "impact": ("roar_core.cli.lineage:impact", "Show everything that was made of something."),
    "inputs": ("roar_core.cli.lineage:inputs", "List what something was made of in the end."),
    "why": ("roar_core.cli.lineage:why", "Show a way from one thing to another."),
    "export": ("roar_core.cli.export:export", "Write lineage in an open format."),
    "import": ("roar_core.cli.importing:import_", "Add lineage that was recorded elsewhere."),
    "register": ("roar_core.cli.registry.register:register", "Publish lineage to a registry."),
    "registry": (
        "roar_core.cli.registry.log:registry",
        "Check that a registry keeps what it was told.",
    ),
    "workflow": ("roar_core.cli.workflow:workflow", "Make a workflow file of what was run."),
    "reproduce": (
        "roar_core.cli.reproduce:reproduce",
        "Make recorded bytes again elsewhere, and compare them.",
    ),
    "diff": (
        "roar_core.cli.diff:diff",
        "Say what made two jobs, artifacts or sessions differ.",
    ),
    "session": ("roar_core.cli.session:session", "Ask about the session: its hash."),
    "pop": ("roar_core.cli.pop:pop", "Undo the most recent job of the session."),
    "abandon": (
        "roar_core.cli.abandon:abandon",
        "End the record of a job whose machine never came back.",
    ),
    "reset": ("roar_core.cli.session:reset", "Begin a new session; nothing is deleted."),
    "config": ("roar_core.cli.config:config", "List, read and change settings."),
    "env": ("roar_core.cli.env:env", "Give variables to every recorded command."),
    "label": ("roar_core.cli.label:label", "Attach labels to jobs, artifacts and sessions."),
    "tag": ("roar_core.cli.tag:tag", "Tag artifacts: what is made of them inherits it."),
    "filter": ("roar_core.cli.filter:filters", "Keep paths out of lineage."),
    "login": ("roar_core.cli.registry.login:login", "Sign in at the registry."),
    "logout": ("roar_core.cli.registry.login:logout", "Sign out at the registry."),
    "whoami": ("roar_core.cli.registry.auth:whoami", "Say who you are at the registry."),
    "auth": ("roar_core.cli.registry.auth:auth", "Check your credential; show your SSH key."),
    "scope": ("roar_core.cli.registry.scope:scope", "Choose for whom what you publish is."),
    "tracer": ("roar_core.cli.tracer:tracer", "List, choose and check tracers."),
    "plugins": ("roar_core.cli.plugins:plugins", "List, make and check plugins."),
    "db": ("roar_core.cli.db:db", "Check, prune, copy and recover the session database."),
    "telemetry": ("roar_core.cli.telemetry:telemetry", "See usage statistics, or turn them off."),
    "completion": ("roar_core.cli.completion:completion", "Print shell completion."),
}


class LazyGroup(click.Group):
    """Lists every command from the table and imports only the one that is invoked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *_plugin_commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return _load(COMMANDS[cmd_name][0])
        from roar_core.plugins import command

        found = command(cmd_name)
        assert found is None or isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from roar_core.cli.habits import of_command

            close = _nearest(args[0], self.list_commands(ctx))
            hint = of_command(args[0]) or (f"did you mean {close}?" if close else "")
            told = f"there is no command {args[0]!r}{'; ' if hint else ''}{hint}"
            raise click.UsageError(told, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])
        extra = _plugin_commands()
        if extra:
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, "") for name in extra])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: roar run python train.py && roar dag",
)
@click.version_option(package_name="roar-core", prog_name="roar", message="roar %(version)s")
def roar() -> None:
    """Record what commands really read and wrote; ask where any file came from."""


def run_command_line(arguments: list[str]) -> int:
    """Run one `roar` command line and return its exit status; errors become one sentence."""
    is_run = arguments[:1] in (["run"], ["build"])

    def call() -> int:
        try:
            status = roar.main(arguments, prog_name="roar", standalone_mode=False)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help() if error.ctx else error.format_message())
            return 0
        except click.ClickException as error:
            return explain(_sentence(error), error.exit_code, is_run=is_run)
        except click.Abort as error:
            raise KeyboardInterrupt from error
        return status if isinstance(status, int) else 0

    status = explained(call, is_run=is_run)
    if not is_run:
        _count(arguments, status)
    return status


def _count(arguments: list[str], status: int) -> None:
    """Count this use of roar for the statistics; runs do it themselves, before they end as theirs.

    Asking for help, about telemetry or for completion is no use of roar, nor is a mistyped command.
    """
    command = arguments[0] if arguments else ""
    is_asking = not {"-h", "--help"}.isdisjoint(arguments) or "_ROAR_COMPLETE" in os.environ
    is_own = command in ("telemetry", "completion")
    if command not in COMMANDS or is_own or is_asking or status == UsageError.exit_code:
        return
    from roar_core.cli.usage import count
    from roar_core.telemetry.use import Use

    # A package is written in place of being sent.
    is_dry_run = any(word == "--dry-run" or word.startswith("--package") for word in arguments)
    count(Use(command, succeeded=status == 0, is_dry_run=is_dry_run), os.environ)


def _sentence(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    message = f"{message[:1].lower()}{message[1:]}"
    if isinstance(error, click.NoSuchOption):
        from roar_core.cli.habits import of_option

        if hint := of_option(error):
            return f"no such option '{error.option_name}': {hint}"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message}; see: {error.ctx.command_path} --help"
    return message


def _load(target: str) -> click.Command:
    from importlib import import_module

    module, _, attribute = target.partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


def _plugin_commands() -> list[str]:
    """Names of commands that plugins add, unless they are disabled; told without importing them."""
    from roar_core.discovery import disabled_names, find_plugins, is_disabled

    disabled = disabled_names(os.environ)
    refs = find_plugins(["roar.commands"])
    names = {ref.name for ref in refs if not is_disabled(ref, disabled)}
    return sorted(names - COMMANDS.keys())


def _nearest(word: str, known: list[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, 1)), None)
