"""What runs in the driver's Python: the runtime environment that brings the agent into workers.

    RAY_RUNTIME_ENV_HOOK=<this package>.add_agent

Ray calls the hook with what `ray.init` and `ray job submit` were given together, so that nothing is
merged with it any more. Standard library only: the driver's interpreter need not have roar.
"""

from .environment import add_agent as add_agent
