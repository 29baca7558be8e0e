"""Every error that roar explains to its user.

    RoarError                 something the user can act on; exit code 1
    ├── UsageError            the command line is wrong; exit code 2
    ├── RefusedError          roar will not work here; nothing was started
    │   ├── UncommittedError  there are changes, and git.dirty says to refuse
    │   └── NoTracerError     no tracer can observe the run, or the one asked for cannot
    ├── ConfigError           a configuration file or value is wrong
    ├── DatabaseError         the session database is unreadable, too new or too busy
    ├── JournalError          a trace journal is not one, or of a version we do not speak
    ├── NotFoundError         no job, artifact, path or URL answers to this reference
    │   └── AmbiguousError    more than one does; the message lists them
    ├── UnreproducibleError   what was recorded cannot be run again here; exit code 3
    ├── RegistryError         a registry refused, failed or could not be asked
    │   ├── UnreachableError  it gave no answer at all, or none that a registry gives
    │   ├── UnauthorisedError it does not know who asks, or does not let them
    │   ├── UnregisteredError it has nothing of this name; a NotFoundError too
    │   ├── ConflictError     it has something else already
    │   └── LogError          its log contradicts itself, or what it said before
    ├── TracerError           a tracer cannot be used or failed
    └── PluginError           a plugin could not be loaded, or failed

`roar_core.cli` prints `roar: <message>` and exits with `exit_code`, under `run` and `build` with
125. Any other exception is a defect of ours; ROAR_DEBUG=1 shows its traceback. A message names the
thing and the remedy, lower case, with no full stop.
"""

from __future__ import annotations


class RoarError(Exception):
    """Base of the errors a user sees as one sentence."""

    exit_code = 1


class UsageError(RoarError):
    """The command line asks for something that does not exist or contradicts itself."""

    exit_code = 2


class RefusedError(RoarError):
    """roar will not do this here; nothing was started and nothing was recorded."""


class UncommittedError(RefusedError):
    """The checkout has uncommitted changes that may not, or cannot, be recorded."""


class NoTracerError(RefusedError):
    """No tracer can observe this run, or not the one that was asked for."""


class ConfigError(RoarError):
    """A configuration value is unknown, of the wrong type, or given twice."""


class DatabaseError(RoarError):
    """The session database cannot be used as it is."""


class JournalError(RoarError):
    """A file is not a trace journal of a version this roar reads."""


class NotFoundError(RoarError):
    """A reference (`@N`, uid, hash prefix, path) names nothing recorded here, a URL no object."""


class AmbiguousError(NotFoundError):
    """A reference is the beginning of several names."""


class UnreproducibleError(RoarError):
    """A recorded job cannot be run again here, or an input of it cannot be had."""

    exit_code = 3


class RegistryError(RoarError):
    """A registry refused or failed. `status` is HTTP's, None without an answer; `code` is its own
    short name for the reason, empty when it gives none."""

    def __init__(self, message: str, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class UnreachableError(RegistryError):
    """Nobody answers at a registry's address, or something that is no registry does."""


class UnauthorisedError(RegistryError):
    """A registry does not accept the credentials (401), or what they are used for (403)."""


class UnregisteredError(RegistryError, NotFoundError):
    """A registry has nothing of this name that the caller may see (404)."""


class ConflictError(RegistryError):
    """A registry holds something else than what is asked to be there (409)."""


class LogError(RegistryError):
    """A registry's log is not what it was, or lacks what was registered: `problems`, as sentences.

    Somebody meddled with it, or it is another one.
    """

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class TracerError(RoarError):
    """A tracer cannot be used here; the message says what would make it usable."""


class PluginError(RoarError):
    """A plugin failed while `doing` something; the distribution to blame is named."""

    def __init__(self, distribution: str, doing: str, cause: BaseException | str) -> None:
        self.distribution = distribution
        self.doing = doing
        self.cause = cause
        reason = cause if isinstance(cause, str) else f"{type(cause).__name__}: {cause}"
        super().__init__(f"plugin {distribution} failed while {doing}: {reason}")
