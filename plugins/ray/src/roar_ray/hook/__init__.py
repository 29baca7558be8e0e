"""The runtime environment that brings the agent into workers, made in the driver's Python.

Standard library only: the driver's interpreter need not have roar. It is given what the user's own
hook (RAY_RUNTIME_ENV_HOOK) has made of what they gave to `ray.init` and `ray job submit`, so that
nothing is merged with it any more.
"""
