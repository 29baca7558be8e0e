"""`roar status`: the current session at a glance."""

from __future__ import annotations

import click

from roar_core.cli import output, wording
from roar_core.cli.documents import document, session_document, summary_document, text
from roar_core.cli.opening import open_project
from roar_core.lineage.session import count_states, count_steps, find_session, session_jobs
from roar_core.store.database import Database


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def status(as_json: bool) -> None:
    """Summarise the current session.

    Example: roar status
    """
    steps, builds, states, partial = 0, 0, dict[str, int](), 0
    last = None
    with open_project(Database) as (project, database), database.reading() as db:
        session = find_session(db, None)
        if session is not None:
            steps, builds = count_steps(db, session.number)
            states, partial = count_states(db, session.number)
            last = next(iter(session_jobs(db, session.number, limit=1)), None)
    if as_json:
        output.data(
            document(
                "status",
                project=text(str(project.root)),
                session=session and session_document(session),
                steps=steps,
                builds=builds,
                jobs=states,
                partial=partial,
                last=last and summary_document(last),
            )
        )
        return
    _fact("project", str(project.root))
    if session is None or last is None:
        if session is not None:
            _fact("session", f"{session.number}, begun {wording.local_time(session.started_at_ns)}")
        output.note("nothing is recorded in this session yet; start with: roar run <your command>")
        return
    _fact("session", f"{session.number}, begun {wording.local_time(session.started_at_ns)}")
    counts = [wording.count(steps, "step")]
    if builds:
        counts.append(wording.count(builds, "build"))
    jobs = wording.count(sum(states.values()), "job")
    by_state = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
    _fact("recorded", f"{', '.join(counts)}; {jobs}: {by_state}")
    if partial:
        _fact("coverage", f"partial for {wording.count(partial, 'job')}; see: roar log")
    ended = wording.ending(last.state, last.exit_code, last.signal)
    place = f"{last.place} " if last.place else ""
    _fact(
        "last",
        f"{place}{wording.title(last.name, last.command)}, {ended}, "
        f"{wording.local_time(last.started_at_ns)}",
    )


def _fact(label: str, value: str) -> None:
    output.line(f"{output.style(f'{label:<9}', 'dim')} {output.printable(value)}")
