"""The data from which an HTML report is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from ...names import HandlerName
from ...profiles.comparison import Comparison
from ...profiles.profile import Profile
from ...profiles.trend import Trend
from ...profiles.verdict import Expectations, Verdict
from .cells import Labels


@dataclass(frozen=True)
class Material:
    """All data of a run that the report shows.

    Attributes:
        profile: the profile of the run.
        verdict: the verdict on the run; ``None`` if it was not judged.
        expectations: the expectations behind the verdict.
        trends: the trends of handlers over the last runs.
        compared_with: the names of the baseline's files or databases.
    """

    profile: Profile
    verdict: Verdict | None
    expectations: Expectations
    trends: Sequence[Trend]
    compared_with: Sequence[str]

    @property
    def comparison(self) -> Comparison | None:
        """The comparison with earlier runs; ``None`` if there is none."""
        return None if self.verdict is None else self.verdict.comparison

    def developments(self) -> dict[HandlerName, tuple[str, Trend]]:
        """Return the trends of called handlers that have data, each with an id for its line."""
        called = self.profile.called()
        known = [
            one for one in self.trends if one.name in called and not all(map(isnan, one.times))
        ]
        return {one.name: (f"t{number}", one) for number, one in enumerate(known)}

    def labels(self) -> Labels:
        """Return the names of all handlers in the report."""
        found = self.comparison
        compared = [] if found is None else [*found.added, *found.removed]
        changed = [] if found is None else [change.name for change in found.changes]
        return Labels(self.profile.handlers, [*compared, *changed])
