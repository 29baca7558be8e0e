"""The agent in the workers of a driver, without roar around it: a hook for RAY_RUNTIME_ENV_HOOK."""

import json
import os

from roar_ray.hook.environment import with_agent
from roar_ray.hook.setup import sources_of


def add_agent(runtime_env):
    import ray

    from roar_ray.agent import submitting

    settings = json.loads(os.environ["AGENT_SETTINGS"])
    assert submitting.install(ray, f"{settings['folder']}/driver.edges") == []
    return with_agent(runtime_env, settings, sources_of(settings["agent"]))
