"""What became of the patterns of ``--smartcollect-watch``, in all processes that ran tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartcollect import Profile

A_CALL = 2e-6
"""Seconds that watching adds to a call: see `docs/explanation/cost.md`."""
TOO_MUCH = 0.1
"""Share of the time of all tests from which on the cost of one function is told."""
_SHOWN = 10


class Watching:
    """Gathers what each process tells of its patterns.

    Args:
        patterns: as they were given.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._unmet: dict[str, str] | None = None
        self._unimported: set[str] = set()

    def told(self, unmet: Mapping[str, str], unimported: Sequence[str]) -> None:
        """Note what one process found.

        Args:
            unmet: why a pattern watched nothing there, by pattern.
            unimported: the modules that patterns cover and that nothing imported there.
        """
        if self._unmet is None:
            self._unmet, self._unimported = dict(unmet), set(unimported)
            return
        # What one worker found, the others need not find.
        self._unmet = {pattern: why for pattern, why in self._unmet.items() if pattern in unmet}
        self._unimported &= set(unimported)

    def missed(self) -> list[str]:
        """Return why a complete run fails, a line for each pattern that watched nothing."""
        return [f"smartcollect_watch: {why}" for why in (self._unmet or {}).values()]

    def notes(self, profile: Profile) -> Iterator[str]:
        """Yield what else there is to know, a line each."""
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
                    f"watching {name.path} takes about {share:.0%} of the time of the tests "
                    f"({stats.calls:,} calls); to leave it out, add "
                    f"--smartcollect-watch='!{name.path}'"
                )
