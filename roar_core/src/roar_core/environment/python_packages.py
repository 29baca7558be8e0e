"""Which Python distributions own the code that a program opened.

A file below `site-packages` belongs to the distribution whose RECORD lists it (Python Packaging
User Guide, "Recording installed projects"); an editable install owns the directories that its
`.pth` or finder points to. Only source, byte code and extension modules count: a program that lists
metadata, as every pytest does, has used nothing of those packages.
"""

from __future__ import annotations

from collections.abc import Iterable

from roar_core.environment.cache import cache_file, load_cache, save_cache
from roar_core.environment.patterns import compiled
from roar_core.environment.site_packages import Site, read_site, settled_stamp

_IN_SITE = r"(?s)(/.*?/(?:site|dist)-packages)/(.+)"
_CODE = r"\.(?:py|pyc|pyd|so(?:\.\d+)*)$"
_BYTE_CODE = r"(?s)(?:(.*/)|^)__pycache__/([^/]+?)\.[^/.]+(?:\.opt-\w+)?\.pyc"
_EGG = r"([^/]+)\.egg(?:/|$)"
# Run at every interpreter's start by a `.pth` file, whatever the program goes on to import.
_AT_START = r"_distutils_hack/|__editable__|_virtualenv\.py|_editable_impl_"
_MOST_SITES = 32


def python_packages(paths: Iterable[str], cache_dir: str | None = None) -> dict[str, str]:
    """Name -> version of the distributions that own code among `paths`, sorted by name.

    `paths` are all files that the program opened, absolute. Code of an editable install counts when
    something of the site it is installed in (its `.pth`, at least) is among them. What is read of a
    site is kept in `cache_dir` (default: the user's) until the site changes.
    """
    in_sites: dict[str, set[str]] = {}
    elsewhere: set[str] = set()
    for path in paths:
        if match := compiled(_IN_SITE).match(path):
            inside = in_sites.setdefault(match[1], set())
            if compiled(_CODE).search(path) or ".egg" in path:
                inside.add(_source_of(match[2]))
        elif compiled(_CODE).search(path):
            elsewhere.add(path)
    cache = cache_file("python-packages.json", cache_dir)
    found: dict[str, str] = {}
    for folder, site in _sites(sorted(in_sites), cache).items():
        for owner in _owners(site, in_sites[folder], elsewhere):
            name, version = site.name_and_version(owner)
            found.setdefault(name, version)
    return dict(sorted(found.items()))


def _owners(site: Site, inside: set[str], elsewhere: set[str]) -> set[str]:
    """The metadata directories (or eggs) of the distributions used of this site."""
    owners: set[str] = set()
    for relative in inside:
        if compiled(_AT_START).match(relative):
            continue
        if egg := compiled(_EGG).match(relative):
            owners.add(egg[0].rstrip("/"))
        elif (owner := site.owner(relative)) is not None:
            owners.add(owner)
    for root, owner in site.editable:
        if any(path.startswith(f"{root}/") or path == root for path in elsewhere):
            owners.add(owner)
    return owners


def _source_of(relative: str) -> str:
    """`pkg/__pycache__/x.cpython-311.pyc` -> `pkg/x.py`; anything else as it is."""
    match = compiled(_BYTE_CODE).fullmatch(relative)
    return f"{match[1] or ''}{match[2]}.py" if match else relative


def _sites(folders: list[str], cache: str | None) -> dict[str, Site]:
    """The sites, from the cache where their directory has not changed since."""
    kept = load_cache(cache) if folders else {}
    sites: dict[str, Site] = {}
    fresh: dict[str, object] = {}
    for folder in folders:
        stamp = settled_stamp(folder)
        site = Site.from_cache(folder, kept.get(folder), stamp)
        if site is None:
            site = read_site(folder)
            if stamp is not None:
                fresh[folder] = site.to_cache(stamp)
        sites[folder] = site
    if fresh:
        save_cache(cache, dict([*kept.items(), *fresh.items()][-_MOST_SITES:]))
    return sites
