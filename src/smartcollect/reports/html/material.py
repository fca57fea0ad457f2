"""All that is known of a run that the HTML report is about."""

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
    """All that is known of a run.

    Attributes:
        profile: what it came to.
        verdict: how it was judged; ``None`` where nobody did.
        expectations: what it was judged by.
        trends: how its handlers developed over the last runs.
        compared_with: the places of the baseline.
    """

    profile: Profile
    verdict: Verdict | None
    expectations: Expectations
    trends: Sequence[Trend]
    compared_with: Sequence[str]

    @property
    def comparison(self) -> Comparison | None:
        """The comparison with earlier runs, where there is one."""
        return None if self.verdict is None else self.verdict.comparison

    def developments(self) -> dict[HandlerName, tuple[str, Trend]]:
        """Return the trends that tell something, each with an id for its line."""
        called = self.profile.called()
        known = [
            one for one in self.trends if one.name in called and not all(map(isnan, one.times))
        ]
        return {one.name: (f"t{number}", one) for number, one in enumerate(known)}

    def labels(self) -> Labels:
        """Return what the handlers are called."""
        found = self.comparison
        compared = [] if found is None else [*found.added, *found.removed]
        changed = [] if found is None else [change.name for change in found.changes]
        return Labels(self.profile.handlers, [*compared, *changed])
