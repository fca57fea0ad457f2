"""How much a statistic may grow from a baseline to a run."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..storage.fields import LIMITED, STATISTICS, Kind, named

BEST = "steady_time"
"""The statistic that a comparison takes unless another is asked for: the steadiest there is."""
DRIFT = "drift"
"""What may grow beside statistics: the time of everything together."""


class Rule(NamedTuple):
    """How much a statistic may grow.

    Attributes:
        field: the statistic, or ``drift``.
        percent: by how many percent at most.
    """

    field: str
    percent: float

    def __str__(self) -> str:
        return f"{self.field}:{self.percent:g}%"

    @property
    def is_of_time(self) -> bool:
        """Whether it is about times, which depend on the machine."""
        return self.field == DRIFT or STATISTICS[self.field].kind is Kind.TIME

    @property
    def allowed(self) -> float:
        """The largest ratio that the rule allows."""
        return 1 + self.percent / 100


def parse_rule(text: str) -> Rule:
    """Return the rule in text such as ``25%`` or ``avg_time:20%``.

    Raises:
        ValueError: the text is something else.

    Example:
        >>> parse_rule("avg_time:20%"), parse_rule("25%").field
        (Rule(field='avg_time', percent=20.0), 'steady_time')
    """
    field, colon, share = text.strip().rpartition(":")
    field = named(field) if colon else BEST
    try:
        percent = float(share.strip().removesuffix("%"))
    except ValueError:
        percent = math.nan
    if field not in (*LIMITED, DRIFT) or not 0 <= percent < math.inf:
        raise ValueError(
            "accepted: PERCENT% or FIELD:PERCENT%, such as 25% or avg_time:20%; "
            f"fields: {', '.join((*LIMITED, DRIFT))}"
        )
    return Rule(field, percent)
