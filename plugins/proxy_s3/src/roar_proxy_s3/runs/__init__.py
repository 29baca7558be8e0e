"""The proxy as runs have it: started for a command, asked afterwards what passed.

storage_proxy  what roar calls
concerns       whether a command's variables could lead it to an object store
listener       the process of the proxy that belongs to a folder
leading        what leads a command's clients to it
preparing      what the process is told
plain          where the user's own tools would go, with which keys, when that is told plainly
resolving      the same, as botocore says
launch         a process that asks botocore, then becomes the proxy
python         in the command's own Python programs
passed         from what the proxy told to what a job read and wrote

Every `roar run` imports this package: nothing heavy here.
"""

from __future__ import annotations

from roar_core.hookspecs import ConfigKey, ConfigSection, PluginConfig, StorageProxy, hookimpl
from roar_proxy_s3.runs.storage_proxy import S3Proxy


@hookimpl
def roar_storage_proxies(config: PluginConfig) -> list[StorageProxy]:
    return [S3Proxy(is_enabled=bool(config.section.get("proxy", False)))]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    key = ConfigKey(
        "proxy", False, "Whether runs are given a proxy that records the objects they use."
    )
    return [ConfigSection("s3", (key,), "Objects of S3; see `roar proxy`.")]
