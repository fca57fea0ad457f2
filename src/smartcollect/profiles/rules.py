"""Rules: how much a statistic may grow from a baseline to a run."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..storage.fields import LIMITED, STATISTICS, Kind, named

BEST = "steady_time"
"""The default statistic of a comparison, as it varies least between equal runs."""
DRIFT = "drift"
"""The field of a rule that limits how much slower the run is as a whole, not one statistic."""


class Rule(NamedTuple):
    """A limit on the growth of a statistic.

    Attributes:
        field: the statistic, or ``drift``.
        percent: the largest allowed growth, in percent.
    """

    field: str
    percent: float

    def __str__(self) -> str:
        return f"{self.field}:{self.percent:g}%"

    @property
    def is_of_time(self) -> bool:
        """True if the rule limits a time, which depends on the machine."""
        return self.field == DRIFT or STATISTICS[self.field].kind is Kind.TIME

    @property
    def allowed(self) -> float:
        """The largest allowed ratio of the value now to the value before."""
        return 1 + self.percent / 100


def parse_rule(text: str) -> Rule:
    """Return the rule in text such as ``25%`` or ``avg_time:20%``.

    Raises:
        ValueError: the text is not a rule.

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
            "write PERCENT% or FIELD:PERCENT%, such as 25% or avg_time:20%, with a FIELD from "
            f"{', '.join((*LIMITED, DRIFT))}"
        )
    return Rule(field, percent)
