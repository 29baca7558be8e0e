"""Which virtual environments recorded jobs need, and how they are made."""

from __future__ import annotations

import os
import sys

from roar_core.model.environment import Environment, Packages
from roar_core.model.job import Job
from roar_core.reproduce.environments import activated, creation_commands
from roar_core.reproduce.interpreters import is_pin, plan_environments, recorded_interpreter
from roar_core.reproduce.plan import EnvironmentPlan

HERE = f"cpython {sys.version.split()[0]}"


def job(uid: str, interpreter: str | None = HERE, **packages: str) -> Job:
    return Job(
        uid=uid,
        kind="run",
        command=("python",),
        cwd="/p",
        project="/p",
        state="succeeded",
        started_at_ns=0,
        packages=Packages(packages),
        environment=Environment("linux", "x86_64", interpreter),
    )


def test_jobs_that_agree_share_an_environment_and_others_do_not() -> None:
    jobs = [job("a", numpy="1"), job("b", pandas="2"), job("c", numpy="2"), job("d", None)]
    plans, names = plan_environments(jobs, os.environ)
    assert names == {"a": "env1", "b": "env1", "c": "env2"}
    assert plans[0].requirements == ["numpy==1", "pandas==2"]
    assert plans[1].requirements == ["numpy==2"]


def test_the_recorded_version_is_found_else_another_patch_release() -> None:
    [plan], _ = plan_environments([job("a")], os.environ)
    assert plan.base_version == HERE
    assert plan.base is not None
    major, minor = sys.version_info[:2]
    [plan], _ = plan_environments([job("a", f"cpython {major}.{minor}.99")], os.environ)
    assert plan.base_version is not None
    assert plan.base_version.startswith(f"cpython {major}.{minor}.")
    [plan], _ = plan_environments([job("a", "cpython 3.1.0")], os.environ)
    assert plan.base is None


def test_of_several_interpreters_the_first_counts_and_words_are_none() -> None:
    assert recorded_interpreter(job("a", "cpython 3.9.1, cpython 3.12.0")) == "cpython 3.9.1"
    assert recorded_interpreter(job("a", "--evil")) is None
    assert recorded_interpreter(job("a", None)) is None


def test_only_names_and_versions_reach_an_installer() -> None:
    assert is_pin("ruamel.yaml", "0.18.6")
    assert is_pin("torch", "2.1.0+cu121")
    for name, version in (
        ("-r", "1"),
        ("a b", "1"),
        ("a", "-1"),
        ("a", "1; x"),
        ("a @ file:", "1"),
    ):
        assert not is_pin(name, version)
    [plan], _ = plan_environments([job("a", **{"--index-url": "http://x"})], os.environ)
    assert plan.requirements == []
    assert "--index-url" in plan.local


def test_uv_is_asked_for_the_exact_version_where_it_is_not_here() -> None:
    plan = EnvironmentPlan("env1", "cpython 3.9.1", {"a": "1"}, None, None)
    venv, install = creation_commands(plan, "/f", "/bin/uv")
    assert venv == ["/bin/uv", "venv", "--quiet", "--no-project", "--python", "3.9.1", "/f"]
    assert install[-1] == "a==1"
    assert creation_commands(plan, "/f", None) == []


def test_without_packages_nothing_needs_an_index() -> None:
    plan = EnvironmentPlan("env1", HERE, {}, "/usr/bin/python3", HERE)
    assert creation_commands(plan, "/f", None) == [
        ["/usr/bin/python3", "-I", "-m", "venv", "--without-pip", "/f"]
    ]


def test_an_environments_programs_come_first() -> None:
    changed = activated({"PATH": "/bin", "PYTHONHOME": "/x"}, "/f", {"A": "1"})
    assert changed == {"PATH": f"/f/bin{os.pathsep}/bin", "VIRTUAL_ENV": "/f", "A": "1"}
    assert activated({"PATH": "/bin"}, None, {}) == {"PATH": "/bin"}
