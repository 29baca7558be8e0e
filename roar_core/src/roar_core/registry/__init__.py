"""The client of a registry: reaching it, who one is there, and what is published and asked.

Reaching: `address` says which registry and whether it is safe, `connection` asks it, `answers`
makes values or sentences of what it says. Who asks: `callers` chooses the credential, from
`credentials` (auth.json) or `ssh`; `accounts` is what the registry says of them, `device` how they
sign in, `scopes` for whom they publish. Each of the others is a sub-package with a map of its own:
`publishing` sends lineage, `labels` keeps labels in step, `log` checks the registry's log,
`resolving` asks for lineage.
"""
