"""Which packages of the operating system own the files that a program loaded.

The databases of dpkg and apk are read directly; rpm's, which has several forms, is asked through
rpm. The first question after an upgrade reads the whole database (dpkg: 50 to 100 ms for 750
packages); each answer is then kept per path until the database changes, so a run normally costs one
small read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from roar_core.environment.cache import cache_file, load_cache, save_cache, stamp_of

Owner = tuple[str, str]
_MOST_KEPT = 20_000


class Database(NamedTuple):
    """A package manager's database: `path` changes whenever a package does."""

    kind: str
    path: str
    owners: Callable[[str, set[str]], Mapping[str, Owner] | None]


def system_packages(
    paths: Iterable[str], cache_dir: str | None = None, root: str = ""
) -> dict[str, str]:
    """Name -> version of the packages that own `paths` (absolute, resolved), sorted by name.

    Empty where there is no package database. Answers are kept in `cache_dir` (default: the user's).
    `root` is the directory below which databases lie. Ask once for many paths: the first question
    about a path reads the whole database.
    """
    wanted = set(paths)
    database = _database(root) if wanted else None
    if database is None:
        return {}
    cache = cache_file("system-packages.json", cache_dir)
    stamp = f"{database.path} {stamp_of(os.stat(database.path))}"  # noqa: PTH116 - start-up
    kept = load_cache(cache)
    known = kept.get("owners") if kept.get("stamp") == stamp else None
    owners = dict(known) if isinstance(known, dict) else {}
    unknown = wanted - owners.keys()
    if unknown:
        found = database.owners(root, unknown)
        if found is not None:
            owners.update({path: list(found[path]) if path in found else None for path in unknown})
            recent = dict(list(owners.items())[-_MOST_KEPT:])
            save_cache(cache, {"stamp": stamp, "owners": recent})
    used = [owner for path in wanted if (owner := owners.get(path))]
    return dict(sorted((name, version) for name, version in used))


def _database(root: str) -> Database | None:
    from roar_core.environment.package_databases import apk_owners, dpkg_owners, rpm_owners

    known = (
        Database("dpkg", f"{root}/var/lib/dpkg/status", dpkg_owners),
        Database("apk", f"{root}/lib/apk/db/installed", apk_owners),
        Database("rpm", f"{root}/usr/lib/sysimage/rpm/rpmdb.sqlite", rpm_owners),
        Database("rpm", f"{root}/var/lib/rpm/rpmdb.sqlite", rpm_owners),
        Database("rpm", f"{root}/var/lib/rpm/Packages", rpm_owners),
        Database("rpm", f"{root}/var/lib/rpm/Packages.db", rpm_owners),
    )
    # An empty status file is what other families' systems have when dpkg is merely installed.
    return next((database for database in known if _has_content(database.path)), None)


def _has_content(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0  # noqa: PTH116 - pathlib costs 8 ms
    except OSError:
        return False
