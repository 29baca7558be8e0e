"""The settings of the section `osmo`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from roar_core.errors import ConfigError
from roar_core.hookspecs import ConfigKey, ConfigSection

RETURNS = ("auto", "logs", "output")
WRAPS = ("known", "all", "none")

SECTION = ConfigSection(
    "osmo",
    (
        ConfigKey(
            "wrap",
            "known",
            "Which tasks get the launcher: known (those whose own command is a shell, a shell"
            " script or Python), all (every image has /bin/sh), none.",
            choices=WRAPS,
        ),
        ConfigKey(
            "return",
            "auto",
            "How what a task did comes back: logs, output (storage, needs osmo.bucket), or auto (by"
            " the registry if fragments.carrier says so; output where nobody else gets to see it;"
            " else logs).",
            choices=RETURNS,
        ),
        ConfigKey("bucket", "", "Storage for what tasks did, e.g. s3://bucket/prefix."),
        ConfigKey(
            "python", "", "A Python in the tasks' images that has roar-core, tried before others."
        ),
        ConfigKey("label", True, "Label workflows with roar-run=<id> where the server takes it."),
        ConfigKey("timeout", 60.0, "How long one call of osmo may take.", "seconds"),
    ),
    "Workflows that `osmo workflow submit` hands to a cluster.",
)


class Settings(NamedTuple):
    """What the user chose. `timeout_s` is for each question that is put to `osmo`."""

    wrap: str = "known"
    returned_by: str = "auto"
    bucket: str = ""
    python: str = ""
    label: bool = True
    timeout_s: float = 60.0

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Settings:
        """The settings of a configuration's section; what it does not tell has its default."""
        defaults = {key.name: key.default for key in SECTION.keys}
        told = {**defaults, **section}
        return cls(
            wrap=told["wrap"],
            returned_by=told["return"],
            bucket=str(told["bucket"]).rstrip("/"),
            python=told["python"],
            label=told["label"],
            timeout_s=float(told["timeout"]),
        )

    def checked(self) -> Settings:
        """These settings; ConfigError when one asks for what another does not give."""
        if self.returned_by == "output" and not self.bucket:
            raise ConfigError(
                "osmo.return is output, but osmo.bucket names no storage; set it with:"
                " roar config set osmo.bucket s3://bucket/prefix"
            )
        if "@" in self.bucket.partition("://")[2].partition("/")[0]:
            raise ConfigError(
                "osmo.bucket has a login in it, which every workflow would show; name the storage"
                " alone, and give its credentials to OSMO: osmo credential set"
            )
        if self.bucket and ("://" not in self.bucket or "{" in self.bucket):
            raise ConfigError(
                f"osmo.bucket is {self.bucket!r}, expected a URL such as s3://bucket/prefix"
            )
        return self
