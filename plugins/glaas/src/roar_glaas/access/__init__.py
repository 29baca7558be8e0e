"""Who asks, and what they may see and do.

`asking` makes of a request a `caller.Caller`, by what `tokens`, `ssh`, `web_sessions`, `passwords`
or `oidc` prove; `roles` says what they may do, `visibility` what they see. `people`, `projects` and
`scopes` are whom things belong to.
"""
