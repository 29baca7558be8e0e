"""The command `spool`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from roar_backend_spool.queue import Queue, read_request

DEFAULT = "work.spool"


def main() -> int:
    """Submit a command, or work on what others submit; the exit code is the command's."""
    parser = argparse.ArgumentParser(prog="spool", description=__doc__)
    verbs = parser.add_subparsers(required=True, dest="verb")
    client = verbs.add_parser("submit", help="have a worker run a command, and wait for it")
    worker = verbs.add_parser("work", help="run what is submitted")
    for verb in (client, worker):
        folder = os.environ.get("SPOOL", DEFAULT)
        verb.add_argument("--spool", type=Path, default=folder, help="the queue's folder")
    client.add_argument("--name", default="", help="what the task is an instance of")
    client.add_argument("--retries", type=int, default=0, help="further attempts when one fails")
    client.add_argument("--report", default="", help=argparse.SUPPRESS)
    client.add_argument("--project", default="", help=argparse.SUPPRESS)
    client.add_argument("command", nargs=argparse.REMAINDER, help="the command and its arguments")
    worker.add_argument("--until-empty", action="store_true", help="end when there is no request")
    attempt = verbs.add_parser("attempt")
    attempt.add_argument("request", type=Path)
    given = parser.parse_args()
    if given.verb == "attempt":
        return _attempt(given.request)
    queue = Queue(given.spool)
    if given.verb == "work":
        from roar_backend_spool.worker import work

        work(queue, until_empty=given.until_empty)
        return 0
    from roar_backend_spool.client import submit

    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.error("no command given")
    return submit(
        queue,
        command,
        name=given.name,
        retries=given.retries,
        report=given.report,
        project=given.project,
    )


def _attempt(path: Path) -> int:
    """Run one request, observed, and end as its command does."""
    from roar_core.fragments import Attempt
    from roar_core.reports import Reports

    request = read_request(path)
    attempt = Attempt(
        task=request.task,
        command=request.command,
        project=request.project,
        name=request.name,
        number=request.attempt,
    )
    return Reports(Path(request.report)).run(attempt)
