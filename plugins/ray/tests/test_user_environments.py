"""What users put into a runtime environment reaches their workers, with the agent and without."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from agent_cluster import AGENT, PROGRAMS, Cluster

from roar_ray.hook.environment import with_agent
from roar_ray.hook.setup import Setup, sources_of

SETTINGS = {"run": "0" * 32, "capture": "native", "library": "/lib/ours.so"}


@pytest.mark.slow
@pytest.mark.needs("cc")
def test_each_form_of_a_hook_and_all_else_is_kept(ray_cluster: Cluster, tmp_path: Path) -> None:
    jemalloc = next(
        Path(ray_cluster.python).parents[1].glob("lib/*/site-packages/ray/core/libjem*")
    )
    arguments = (jemalloc, PROGRAMS / "user_module")
    bare, ours = (tmp_path / "bare", tmp_path / "ours")
    bare.mkdir()
    ours.mkdir()
    expected = ray_cluster.drive(bare, "hooks.py", *arguments, capture=None)
    told = ray_cluster.drive(ours, "hooks.py", *arguments, capture="native")
    assert told.printed == expected.printed
    assert [each["mark"] for name, each in told.printed.items() if name != "wrong"] == [
        *(None, "called", "named", "named")
    ]
    assert len(told.named("seen")) == 4
    assert {process["capture"] for process in told.processes} == {"native"}


def test_the_users_keys_and_variables_stay_as_they_are() -> None:
    theirs = {
        "pip": ["numpy"],
        "py_modules": ["/m"],
        "working_dir": "s3://b/w.zip",
        "env_vars": {"A": "1", "LD_PRELOAD": "/theirs.so"},
        "worker_process_setup_hook": "m.f",
    }
    before = json.dumps(theirs)
    added = with_agent(theirs, SETTINGS, {})
    assert json.dumps(theirs) == before
    ours = {"LD_PRELOAD": "/lib/ours.so:/theirs.so", "ROAR_TRACE": "4:wait"}
    assert added["env_vars"] == {"A": "1", **ours, "ROAR_NO_TELEMETRY": "1"}
    assert {key: added[key] for key in ("pip", "py_modules", "working_dir")} == {
        key: theirs[key] for key in ("pip", "py_modules", "working_dir")
    }
    assert added["worker_process_setup_hook"].__name__ == "m.f"


def test_a_preload_of_the_node_stays_where_the_user_has_none() -> None:
    variables = with_agent(None, SETTINGS, {})["env_vars"]
    assert variables["LD_PRELOAD"] == "/lib/ours.so:${LD_PRELOAD}"
    assert "LD_PRELOAD" not in with_agent({}, {**SETTINGS, "library": ""}, {})["env_vars"]


def test_the_hook_needs_no_module_of_ours_to_be_loaded(tmp_path: Path) -> None:
    setup = Setup(SETTINGS, sources_of(str(AGENT)), None, None, "roar")
    pickled = tmp_path / "hook"
    pickled.write_bytes(pickle.dumps(setup))
    load = "import pickle, sys; print(callable(pickle.load(open(sys.argv[1], 'rb'))))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", load, pickled],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"
