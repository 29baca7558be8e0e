"""Install the collector as a daemon of root's, and take it away again.

What root executes must be root's: the collector is copied out of the user's environment to a path
of which no component can be changed by anybody else.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import attrs

from roar_core.errors import TracerError
from roar_tracer_ebpf.client import Collector
from roar_tracer_ebpf.own import PYTHON, ROARD
from roar_tracer_ebpf.roard import VERSION

_PATIENCE_S = 30
_UNIT = """\
[Unit]
Description=The eBPF collector of roar
Documentation=man:roar(1)

[Service]
ExecStart={command}
Restart=on-failure
RuntimeDirectory=roar
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=yes

[Install]
WantedBy=multi-user.target
"""


@attrs.frozen
class Places:
    """Where things go. `prefix` stands for `/` in tests, `systemd` is there where systemd runs."""

    socket: str = "/run/roar/roard.sock"
    prefix: Path = Path("/")
    systemd: Path = Path("/run/systemd/system")

    @property
    def library(self) -> Path:
        """The folder of all versions."""
        return self.prefix / "usr/local/lib/roar"

    @property
    def installed(self) -> Path:
        """The folder of this version; the collector is the package `roard` in it."""
        return self.library / f"roard-{VERSION}"

    @property
    def pid_file(self) -> Path:
        """Names the daemon where no systemd looks after it."""
        return Path(self.socket).with_suffix(".pid")

    @property
    def unit(self) -> Path:
        """systemd's unit."""
        return self.prefix / "etc/systemd/system/roard.service"

    def command(self, group: str) -> list[str]:
        """How the daemon is started."""
        words = [PYTHON, "-I", str(self.installed / "roard"), "--socket", self.socket]
        words += ["--pid-file", str(self.pid_file)]
        return [*words, "--group", group] if group else words


def enable(places: Places, group: str = "") -> str:
    """Copy the collector, start it and wait until it answers; return what was done.

    Does nothing when it runs already. Raises TracerError with a remedy.
    """
    _require_root("enable")
    others = [path.name for path in _versions(places) if path != places.installed]
    if others:
        raise TracerError(
            f"{', '.join(others)} is installed, this plugin brings {VERSION};"
            " first: roar tracer disable ebpf"
        )
    if Path(places.socket).exists():
        problem = Collector(places.socket).ask("ping", patience_s=1)
        if not problem:
            return f"roard {VERSION} is running already, at {places.socket}"
        if "version" in problem:
            raise TracerError(problem)
    _copy(places)
    Path(places.socket).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    require_roots(Path(places.socket).parent)
    if places.systemd.is_dir():
        words = " ".join(f'"{word}"' for word in places.command(group))
        places.unit.parent.mkdir(parents=True, exist_ok=True)
        places.unit.write_text(_UNIT.format(command=words))
        _run(["systemctl", "daemon-reload"])
        _run(["systemctl", "enable", "--now", "roard.service"])
        _await_answer(places)
    else:
        _start(places, group)
    return f"roard {VERSION} is running, at {places.socket}, from {places.installed}"


def disable(places: Places) -> str:
    """Stop the daemon and remove what `enable` has put anywhere; return what was done."""
    _require_root("disable")
    if places.unit.exists():
        _run(["systemctl", "disable", "--now", "roard.service"])
        places.unit.unlink()
        _run(["systemctl", "daemon-reload"])
    stopped = _stop(places)
    removed = _versions(places)
    for path in removed:
        shutil.rmtree(path)
    if places.library.is_dir() and not any(places.library.iterdir()):
        places.library.rmdir()
    folder = Path(places.socket).parent
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if not stopped and not removed:
        return "roard was not enabled"
    return f"roard is stopped, and {', '.join(p.name for p in removed) or 'nothing'} removed"


def require_roots(path: Path) -> None:
    """Refuse a path that anybody but root could exchange. Raises TracerError."""
    for part in (path, *path.parents):
        status = os.lstat(part)
        mode = stat.S_IMODE(status.st_mode)
        # In a sticky directory nobody can exchange what is root's.
        is_open = mode & 0o022 and not (mode & stat.S_ISVTX and part != path)
        if stat.S_ISLNK(status.st_mode) or status.st_uid != 0 or is_open:
            raise TracerError(
                f"{part} can be changed by others than root;"
                f" make it root's: chown root:root {part} && chmod go-w {part}"
            )


def _require_root(what: str) -> None:
    if os.geteuid() != 0:
        raise TracerError(f"only root can do this; try: sudo roar tracer {what} ebpf")


def _versions(places: Places) -> list[Path]:
    return sorted(places.library.glob("roard-*"))


def _copy(places: Places) -> None:
    places.library.mkdir(mode=0o755, parents=True, exist_ok=True)
    require_roots(places.library)
    if places.installed.exists() or places.installed.is_symlink():
        require_roots(places.installed)
        shutil.rmtree(places.installed)
    target = places.installed / "roard"
    target.mkdir(mode=0o755, parents=True)
    for source in sorted(ROARD.iterdir()):
        if source.suffix not in (".py", ".c"):
            continue
        if source.is_symlink():
            raise TracerError(f"{source} is a symbolic link; install the plugin again")
        copy = target / source.name
        copy.write_bytes(source.read_bytes())
        copy.chmod(0o644)
        os.chown(copy, 0, 0)
    require_roots(target)


def _start(places: Places, group: str) -> None:
    daemon = subprocess.Popen(
        places.command(group),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        start_new_session=True,
        cwd="/",
        text=True,
    )
    assert daemon.stdout is not None
    with daemon.stdout as answers:
        answer = answers.readline().strip()
    if answer != "ready":
        daemon.wait()
        shutil.rmtree(places.installed, ignore_errors=True)
        raise TracerError(answer.removeprefix("roard: ") or "the daemon did not start")
    # It outlives this process, which will not wait for it.
    daemon.returncode = 0


def _await_answer(places: Places) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while problem := Collector(places.socket).ask("ping", patience_s=1):
        if time.monotonic() > deadline:
            raise TracerError(f"{problem}; see: journalctl -u roard")
        time.sleep(0.1)


def _stop(places: Places) -> bool:
    """Stop the daemon that the pid file names, if it is one; whether there was any."""
    try:
        pid = int(places.pid_file.read_text())
        handle = os.pidfd_open(pid)
    except (OSError, ValueError):
        return False
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if not any(word.endswith(b"/roard") for word in words):
            return False
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        import select

        if not select.select([handle], [], [], _PATIENCE_S)[0]:
            raise TracerError(f"roard, process {pid}, does not end; try: kill -9 {pid}")
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def _run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TracerError(f"{' '.join(words)} failed: {' '.join(done.stderr.split())}")
