"""The checkout that published work names: its address where others can use it, and its commits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from roar_core.redaction import MASK, mask

_MOST_COMMITS = 20
_GIT_S = 5.0
_URL = re.compile(r"(?:https?|git|ssh)://(?P<login>[^@/\s]*@)?[^/\s@]+/\S+")
# git's scp-like form: no slash before the colon (git-clone(1), "GIT URLS").
_SCP = re.compile(r"(?:[\w.-]+@)?[\w.-]+:(?!//)[^\s:]\S*")


class Git(NamedTuple):
    """What `finalize` says of the checkout; empty where there is nothing to say."""

    repo: str
    commit: str
    branch: str


def git_of(jobs: Iterable[Mapping[str, Any]]) -> Git:
    """The checkout of the newest graph job that has one."""
    for job in sorted(jobs, key=lambda job: str(job["started_at"]), reverse=True):
        git = job["git"]
        if git["commit"]:
            is_commit = re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", git["commit"])
            commit = git["commit"] if is_commit else ""
            return Git(shareable(git["remote"] or ""), commit, git["branch"] or "")
    return Git("", "", "")


def shareable(remote: str) -> str:
    """A remote's address as others can use it: without a login, empty for a path of this machine.

    The login of ssh (`git@`) is part of the address.
    """
    remote = mask(remote).text
    match = _URL.fullmatch(remote)
    if match is None:
        return remote if _SCP.fullmatch(remote) and "://" not in remote else ""
    login = match["login"] or ""
    if login and (MASK in login or not remote.startswith("ssh://")):
        return remote.replace(login, "", 1)
    return remote


def unfetchable(root: str, commits: Iterable[str]) -> list[str]:
    """Those of the commits that no remote branch here has: nobody else could fetch them.

    The newest 20 are looked at; none is told where there is no checkout, or no git.
    """
    from roar_core.environment.checkout import find_checkout, git_command
    from roar_core.environment.output_of import output_of, program

    checkout, git = find_checkout(root), program("git")
    if checkout is None or git is None:
        return []
    try:
        argv, extra = git_command(git, checkout)
    except ValueError:
        return []
    found = []
    for commit in list(dict.fromkeys(commits))[:_MOST_COMMITS]:
        words = ["branch", "-r", "--contains", commit, "--format=%(refname)"]
        told = output_of([*argv, *words], _GIT_S, extra)
        if told.status is not None and not told.out.strip():
            found.append(commit)
    return found
