"""The storage proxies of one run: started before the command, asked and stopped after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from roar_core.errors import PluginError
from roar_core.hookspecs import StorageProxy
from roar_core.model.coverage import CoverageReason
from roar_core.run.partners import Partner, Shortfall
from roar_core.run.planned import Planned, checked_variables

if TYPE_CHECKING:
    from roar_core.model.fragment import ObservedObject


class Proxies:
    """The proxies that take part in one run."""

    def __init__(self, partners: Sequence[Partner], shortfall: Shortfall) -> None:
        self.partners = list(partners)
        self._shortfall = shortfall

    def start(self, command: Planned) -> Planned:
        """Start every proxy; the command gets the variables that lead it there.

        One that fails has nobody on its other end: it is stopped, and adds nothing.
        """
        for partner in list(self.partners):
            try:
                added = partner.call("starting", _start, partner, command)
            except PluginError as error:
                self._shortfall.note("proxy", error)
                self._stop(partner)
                self.partners.remove(partner)
                partner.forget()
            else:
                command = command._replace(environ={**command.environ, **added})
        return command

    def finish(self) -> tuple[list[ObservedObject], list[CoverageReason]]:
        """Ask every proxy for the objects that passed, stop it, and return what is missing too.

        It can be asked again, by a later roar when this one is killed, until `forget`.
        """
        objects: list[ObservedObject] = []
        reasons: list[CoverageReason] = []
        for partner in self.partners:
            try:
                objects += partner.call("telling its objects", _objects, partner)
            except PluginError as error:
                self._shortfall.note("proxy", error)
            reasons += self._stop(partner)
        return objects, reasons

    def forget(self) -> None:
        """Delete what the proxies kept of the run; one that would not stop ends with it."""
        for partner in self.partners:
            partner.forget()

    def _stop(self, partner: Partner) -> Sequence[CoverageReason]:
        try:
            return partner.call("stopping", _stop, partner)
        except PluginError as error:
            self._shortfall.note("proxy", error)
            return ()


# Each of these is called in a proxy's thread: what it raises is the proxy's failure.


def _start(partner: Partner, command: Planned) -> dict[str, str]:
    return checked_variables(partner.offer.value.start(partner.run, command.environ))


def _objects(partner: Partner) -> list[ObservedObject]:
    proxy: StorageProxy = partner.offer.value
    objects = list(proxy.objects(partner.run))
    for found in objects:
        from roar_core.model.fragment import ObservedObject

        if not isinstance(found, ObservedObject):
            raise TypeError(f"objects gave {found!r}, expected an ObservedObject")
    return objects


def _stop(partner: Partner) -> tuple[CoverageReason, ...]:
    reasons = tuple(partner.offer.value.stop(partner.run))
    for reason in reasons:
        if not isinstance(reason, CoverageReason):
            raise TypeError(f"stop gave {reason!r}, expected a CoverageReason")
    return reasons
