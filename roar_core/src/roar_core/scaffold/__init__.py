"""New plugin packages: `roar plugins new` writes them, and plugins/_template is one of them.

A package is rendered whole from `templates/` and put in its place by one rename, so that nothing is
ever left half-written.
"""
