"""Render the files of a new plugin's package from the templates. Touches no other file."""

from __future__ import annotations

from importlib import resources
from string import Template

from roar_core.scaffold.naming import PluginName

Files = dict[str, str]


def package_files(name: PluginName) -> Files:
    """Relative path -> text of every file of the package."""
    kind = name.kind
    words = {
        **name.spellings,
        "group": kind.group,
        "kind": kind.word,
        "entry": f"{name.module}{kind.attribute}",
        "description": Template(kind.description).substitute(name.spellings),
        "dependencies": ", ".join(f'"{r}"' for r in ("roar-core>=0.1,<1", *kind.requires)),
    }
    words["about"] = _rendered(kind.word, "about.md", words).strip()
    words["steps"] = _rendered(kind.word, "steps.md", words).strip()
    source = f"src/{name.module}"
    more = {f"{source}/{name}": _rendered(kind.word, name, words) for name in kind.modules}
    return {
        "README.md": _rendered("package", "README.md", words),
        "pyproject.toml": _rendered("package", "pyproject.toml", words),
        f"{source}/__init__.py": _rendered(kind.word, "plugin.py", words),
        **more,
        f"{source}/py.typed": "",
        "tests/conftest.py": _rendered("package", "conftest.py", words),
        f"tests/test_{words['identifier']}.py": _rendered(kind.word, "test.py", words),
    }


def _rendered(folder: str, name: str, words: dict[str, str]) -> str:
    # `.in`: a template is no module, and nothing that walks over the core's takes it for one.
    file = resources.files("roar_core.scaffold") / "templates" / folder / f"{name}.in"
    return Template(file.read_text(encoding="utf-8")).substitute(words)
