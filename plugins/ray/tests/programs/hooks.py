"""What a user puts into a runtime environment, and what of it reaches a worker: printed as JSON.

hooks.py LIBRARY MODULE_FOLDER      the user's own preloaded library, and their module
"""

import json
import os
import sys

import ray

LIBRARY, MODULES = sys.argv[1:]
KEY = "__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR"


def called():
    os.environ["MARK"] = os.environ.get("MARK", "") + "called"


FORMS = {
    "none": {},
    "callable": {"worker_process_setup_hook": called},
    "name": {"worker_process_setup_hook": "user_hooks.mark"},
    # What `ray job submit` makes of a hook of the whole job.
    "submitted": {"env_vars": {KEY: "user_hooks.mark"}},
}


@ray.remote(max_retries=0)
def seen():
    with open("/proc/self/maps") as maps:
        text = maps.read()
    return {
        "mark": os.environ.get("MARK"),
        "theirs": os.environ.get("THEIRS"),
        "library": LIBRARY in text,
        "preloads": os.environ["LD_PRELOAD"].split(":")[-1],
        "module": os.path.exists("user_hooks.py"),
    }


def main():
    found = {}
    for form, added in FORMS.items():
        variables = {"THEIRS": "kept", "LD_PRELOAD": LIBRARY, **added.get("env_vars", {})}
        runtime_env = {"working_dir": MODULES, **added, "env_vars": variables}
        with ray.init(runtime_env=runtime_env):
            found[form] = ray.get(seen.remote())
        assert runtime_env["env_vars"] is variables, "what is the user's stays the user's"
    try:
        ray.init(runtime_env={"worker_process_setup_hook": 5})
    except Exception as error:
        found["wrong"] = f"{type(error).__name__}: {error}"
    return found


if __name__ == "__main__":
    print(json.dumps(main()))
