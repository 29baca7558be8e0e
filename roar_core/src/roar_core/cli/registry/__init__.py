"""The commands that talk to a registry, and what other commands tell of one.

Who one is there: `login`, `auth`, `scope`, shown by `account_view`. Publishing: `register`, shown
by `register_view`, agreed to by `agreeing`; `publication` is that of a job that `roar put` has just
recorded. What became of it: `registration_view`, `log` (`roar registry`), `label_sync`,
`label_remote`. `resolving` lets the commands that read answer from a registry, too. All of them
come to it by `reaching`.
"""
