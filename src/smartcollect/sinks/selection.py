"""``Selection``: the calls that a sink receives individually."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from ..storage.ring import Columns
from ..storage.rows import DETAILS, ELAPSED, FAILURE
from ..units import seconds


class Selection(NamedTuple):
    """The calls that a sink receives individually; statistics count all calls.

    Attributes:
        slower_than: seconds; calls that took longer are selected.
        failed: true to select calls that raised, of any duration.
    """

    slower_than: float
    failed: bool

    @classmethod
    def of(cls, calls: str, slower_than: float | str) -> Selection:
        """Return the selection for the arguments of `CallLog.subscribe`.

        Args:
            calls: ``"all"``, ``"slow"``, ``"failed"``, ``"slow or failed"`` or ``"none"``.
            slower_than: the limit for slow calls: seconds, or text such as ``"100ms"``.

        Raises:
            TypeError, ValueError: an argument is invalid.

        Example:
            >>> Selection.of("slow", "100ms")
            Selection(slower_than=0.1, failed=False)
        """
        limit = seconds(slower_than, "slower_than")
        known = {
            "all": cls(-inf, True),
            "slow": cls(limit, False),
            "failed": cls(inf, True),
            "slow or failed": cls(limit, True),
            "none": cls(inf, False),
        }
        accepted = ", ".join(map(repr, known))
        if not isinstance(calls, str):
            raise TypeError(f"calls must be a string, not {calls!r}; choose from {accepted}")
        if calls not in known:
            raise ValueError(f"unknown calls {calls!r}; choose from {accepted}")
        return known[calls]

    def of_calls(self, calls: Columns) -> Columns | None:
        """Return the selected calls among ``calls``, or ``None`` if there are none."""
        if self.slower_than == -inf:
            return calls
        details = calls.columns[DETAILS]
        failed = self.failed and any(details)
        if calls.longest <= self.slower_than and not failed:
            return None
        wanted = [
            index
            for index, (elapsed, detail) in enumerate(
                zip(calls.columns[ELAPSED], details, strict=True)
            )
            if elapsed > self.slower_than
            or (failed and detail is not None and detail[FAILURE] is not None)
        ]
        return calls.at(wanted) if wanted else None
