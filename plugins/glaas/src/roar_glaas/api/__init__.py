"""What is answered over HTTP: the GLaaS v1 protocol, the graph API, the log.

The protocol is in `registration`, `reading`, `labels`, `accounts`, `device`, `fragments`,
`telemetry`, `health` and `legacy`; the graph API in `graph`, `finding` and `export`. Handlers read
what was sent, ask another package, and spell the answer; `refusals` spells what goes wrong.
"""
