"""GLaaS: an append-only registry of lineage, from any hash back to what made it and forward.

A request comes in through `serving` (addresses, rates, logs, figures), is answered by a handler of
`api` (programs) or `pages` (people), for a caller whom `access` knows, out of `storage`.

- `access`: who asks, what signs in as them, what they may see (`visibility`: the one rule) and do
- `api`: what is answered over HTTP: the GLaaS v1 protocol, the graph API, the log
- `audit`: `glaas verify`, from the database and from outside
- `backup`: one file with everything, taken while in use, restored on either engine
- `cli`: the command `glaas`
- `exchange`: `glaas export` and `import`: what one may read, as lines of JSON
- `graph`: questions: what made this, what was made of it, what is in it, what differs
- `labels`: documents about registered things, in versions
- `legacy`: registering as old clients do, without a registration session
- `log`: the Merkle log over every record: appended to, signed, proven, withheld from
- `pages`: the web pages; those about accounts in `pages.account`
- `passing`: what passes through and is not registered: fragments of runs, telemetry's counts
- `registration`: from the pieces that a client sends to one session, whole or not at all
- `serving`: what every request passes on its way in and out
- `storage`: tables, migrations, guards against change, SQLite and PostgreSQL

Beside them: `app` puts the server together and `opening` its database; `settings`; `errors`, the
refusals; `door`, where everything that comes in is checked and masked; `canonical`, `digests`,
`moments` and `strict_json`, how these are spelled.
"""

from importlib.metadata import version

__version__ = version("roar-glaas")
