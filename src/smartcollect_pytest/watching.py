"""Checks of ``--smartcollect-watch`` patterns, over all processes that ran tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from . import options

if TYPE_CHECKING:
    from smartcollect import Profile

A_CALL = 2e-6
"""Seconds that watching adds to a call; see `docs/explanation/cost.md`."""
TOO_MUCH = 0.1
"""Share of the time of all tests above which the cost of watching a function is reported."""
_SHOWN = 10


class Watching:
    """Results of watch patterns, merged from all processes.

    Args:
        config: pytest's configuration.
        patterns: the patterns as given.
    """

    def __init__(self, config: pytest.Config, patterns: Sequence[str]) -> None:
        self._config = config
        self._patterns = patterns
        self._unmet: dict[str, str] | None = None
        self._unimported: set[str] = set()

    def add(self, unmet: Mapping[str, str], unimported: Sequence[str]) -> None:
        """Add the results of a process.

        Args:
            unmet: the patterns that watched nothing in the process, with the reasons.
            unimported: modules that match a pattern and were not imported in the process.
        """
        if self._unmet is None:
            self._unmet, self._unimported = dict(unmet), set(unimported)
            return
        # A pattern is fine if any worker found a match.
        self._unmet = {pattern: why for pattern, why in self._unmet.items() if pattern in unmet}
        self._unimported &= set(unimported)

    def missed(self) -> list[str]:
        """Return failures of a complete run, one line for each pattern that watched nothing."""
        return [
            f"{options.source(self._config, 'watch', pattern)}: {why}"
            for pattern, why in (self._unmet or {}).items()
        ]

    def notes(self, profile: Profile) -> Iterator[str]:
        """Yield notes for the summary, one line each."""
        if self._unimported:
            names = sorted(self._unimported)
            more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            yield f"never imported: {', '.join(names[:_SHOWN])}{more}"
        yield from self._costly(profile)

    def _costly(self, profile: Profile) -> Iterator[str]:
        if not self._patterns:
            return
        from smartcollect.sources.patterns import parse_all, takes

        patterns = parse_all(self._patterns)
        whole = sum(
            phase.duration for phases in profile.tests.values() for phase in phases.values()
        )
        for name, stats in profile.called().items():
            share = stats.calls * A_CALL / whole if whole else 0.0
            if share > TOO_MUCH and takes(patterns, *name):
                yield (
                    f"watching {name.path} takes about {share:.0%} of the test time "
                    f"({stats.calls:,} calls); to exclude it, add "
                    f"--smartcollect-watch='!{name.path}'"
                )
