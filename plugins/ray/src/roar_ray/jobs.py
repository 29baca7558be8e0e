"""The jobs that a run has submitted to Ray: which of them are over, and which were heard of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from roar_ray.report import Report

Job = Mapping[str, Any]

_OVER = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})


class Jobs:
    """Those of one run, as its report tells of them at each call."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def has_living_driver(self) -> bool:
        """Whether a driver has not left its cluster; a submitted one, whether it runs at all."""
        # What a submitted one does, until its very end, is in a journal here.
        return any(
            each.is_alive and (each.submission or not each.has_ended)
            for each in self._report.drivers()
        )

    def open(self) -> list[Job]:
        """Those that have not ended, as far as is known."""
        return [job for job in self._report.submissions() if not self._is_over(job)]

    def going_on(self, unaskable: Collection[str]) -> list[Job]:
        """The open ones of which somebody can say more: not those of Pythons that are gone."""
        return [
            job
            for job in self.open()
            if not job.get("is_unreachable") and job.get("python") not in unaskable
        ]

    def left(self) -> list[Job]:
        """The open ones of which all drivers that were heard of are gone: most likely over."""
        return [job for job in self.open() if self._is_left(job)]

    def unheard(self) -> list[Job]:
        """Those that have ended of whose drivers nothing is here."""
        heard = {driver.submission for driver in self._report.drivers()}
        return [
            job
            for job in self._report.submissions()
            if self._is_over(job) and job.get("submission") not in heard
        ]

    def _is_over(self, job: Job) -> bool:
        """By Ray's word; by that of its drivers, of which an entrypoint may start several, only
        when nobody can be asked any more."""
        if job.get("status") in _OVER:
            return True
        return bool(job.get("is_unreachable")) and self._is_left(job)

    def _is_left(self, job: Job) -> bool:
        """Whether drivers of it were heard of, and are all gone."""
        submission = job.get("submission")
        drivers = [each for each in self._report.drivers() if each.submission == submission]
        return bool(drivers) and not any(each.is_alive for each in drivers)
