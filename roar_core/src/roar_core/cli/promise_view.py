"""How `roar plugins check` shows which promises a plugin keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roar_core.cli import output

if TYPE_CHECKING:
    from roar_core.cli.documents import Document
    from roar_core.promises.report import Finding, Report


def print_report(report: Report) -> None:
    """One line when the plugin is sound; else each broken promise, and what to do."""
    ref = report.plugin.ref
    broken = [f for f in report.findings if not f.is_kept and not f.is_remark]
    kept = sum(finding.is_kept for finding in report.findings)
    verdict = (
        output.style(f"{len(broken)} of {len(report.findings)} promises are broken", "red")
        if broken
        else f"{output.style('sound', 'green')}, {kept} promises kept"
    )
    whose = output.printable(f"{ref.kind} {ref.name} ({ref.distribution} {ref.version})")
    output.line(f"{whose}: {verdict}")
    for finding in report.findings:
        if not finding.is_kept:
            _print_finding(finding)


def report_fields(report: Report) -> Document:
    """One plugin of the document `plugins_check`."""
    ref = report.plugin.ref
    return {
        "kind": ref.kind,
        "name": ref.name,
        "distribution": ref.distribution,
        "version": ref.version,
        "state": report.plugin.state,
        "sound": report.is_sound,
        "import_ms": None if report.import_ms is None else round(report.import_ms, 1),
        "promises": [
            {
                "about": finding.about or None,
                "promise": finding.promise,
                "advice": finding.is_remark,
                "kept": finding.is_kept,
                "complaints": [complaint._asdict() for complaint in finding.complaints],
            }
            for finding in report.findings
        ],
    }


def _print_finding(finding: Finding) -> None:
    label, colour = ("advice", "yellow") if finding.is_remark else ("broken", "red")
    about = f"{finding.about}: " if finding.about else ""
    output.line(f"  {output.style(label, colour)}  {output.printable(about + finding.promise)}")
    for complaint in finding.complaints:
        output.line(output.printable(f"          {complaint.problem}"))
        output.line(output.printable(f"          -> {complaint.remedy}"))
