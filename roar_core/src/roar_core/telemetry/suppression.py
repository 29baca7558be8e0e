"""Where telemetry is silent: opted out of in the environment, or not a person's own doing."""

from __future__ import annotations

from collections.abc import Mapping

NO_TELEMETRY = "ROAR_NO_TELEMETRY"
# The spelling of the other settings: they refuse it, but who writes `false` means it.
_AS_A_SETTING = "ROAR_TELEMETRY__ENABLED"
OPT_OUTS = ("DO_NOT_TRACK", NO_TELEMETRY)  # https://consoledonottrack.com
CI = (
    *("CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "TRAVIS", "APPVEYOR"),
    *("TEAMCITY_VERSION", "JENKINS_URL", "TF_BUILD"),
)
# pytest sets the first while a test runs, the second (since 8.2) for all of its life.
PYTEST = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION")
# What Ray gives its workers and OSMO its tasks; every run of ours gives its command NO_TELEMETRY,
# which backends hand on.
WORKERS = ("RAY_JOB_ID", "RAY_RAYLET_PID")
_OSMO = "OSMO_"
_OFF = frozenset({"", "0", "false", "no", "off"})


def silenced_by(environ: Mapping[str, str]) -> str | None:
    """The variable that keeps telemetry silent here, None when none does."""
    for name in (*OPT_OUTS, *CI):
        if environ.get(name, "").strip().lower() not in _OFF:
            return name
    if environ.get(_AS_A_SETTING, "true").strip().lower() in _OFF:
        return _AS_A_SETTING
    for name in (*PYTEST, *WORKERS):
        if name in environ:
            return name
    return next((name for name in sorted(environ) if name.startswith(_OSMO)), None)


def for_commands(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of an instrumented command, and so of its workers: silent.

    One use of roar would be counted twice if a roar inside a run counted too.
    """
    return {**environ, NO_TELEMETRY: "1"}
