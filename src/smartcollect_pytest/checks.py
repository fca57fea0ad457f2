"""What a whole run is judged by: a ``Profile`` in, a ``Verdict`` out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .options import Settings

if TYPE_CHECKING:
    from smartcollect import Profile
    from smartcollect.baseline import Change, Comparison


@dataclass(frozen=True)
class Verdict:
    """How a run was judged.

    Attributes:
        failures: why it fails, a line for each cause.
        notes: what was not judged, and why.
        comparison: with the baseline, where there is one.
    """

    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    comparison: Comparison | None = None

    def failing(self, *failures: str) -> Verdict:
        """The same, with more causes to fail."""
        return replace(self, failures=(*self.failures, *failures))


def judge(
    profile: Profile, settings: Settings, baseline: Profile | None, partial: Callable[[], str]
) -> Verdict:
    """Judges a run.

    Args:
        profile: that of the run.
        settings: the options.
        baseline: that of an earlier run, to be compared with.
        partial: tells why only a part of the suite ran; ``""`` where all of it did.
    """
    from smartcollect.baseline import MINIMUM, compare
    from smartcollect.budgets import over, unreached

    handlers = profile.handlers
    failures = [f"over budget: {one}" for one in over([settings.budgets], handlers)]
    missed = [f"budget of {one}" for one in unreached(settings.budgets, handlers)]
    missed += _uncalled(profile, settings)
    notes = [f"budget of each test of {one}" for one in unreached(settings.test_budgets, handlers)]
    # What did not run cannot be missed.
    why = partial() if missed else ""
    if why:
        notes += [f"not judged, since {why}: {one}" for one in missed]
    else:
        failures += missed
    failures += _repeated(profile, settings)
    if baseline is None:
        return Verdict(tuple(failures), tuple(notes))
    minimum = MINIMUM if settings.compare_min is None else settings.compare_min
    comparison = compare(baseline, profile, settings.compare_fail, minimum)
    failures += map(_regression, comparison.regressions)
    return Verdict(tuple(failures), tuple(notes), comparison)


def _regression(change: Change) -> str:
    from smartcollect.budgets import shown

    before, after = shown(change.field, change.before), shown(change.field, change.after)
    return f"regression: {change.name.handler}: {change.field} went from {before} to {after}"


def _uncalled(profile: Profile, settings: Settings) -> Iterator[str]:
    if not settings.fail_uncalled:
        return
    names = [
        name.full
        for name in profile.uncalled()
        if not any(name.like(pattern) for pattern in settings.allow_uncalled)
    ]
    if names:
        yield f"never called, though smartcollect_fail_uncalled is set: {', '.join(names)}"


def _repeated(profile: Profile, settings: Settings) -> Iterator[str]:
    threshold = settings.repeat_threshold
    for one in profile.repeats:
        if not threshold or one.times < threshold:
            continue
        if any(
            one.parent.like(parent) and one.child.like(child)
            for parent, child in settings.allow_repeats
        ):
            continue
        yield (
            f"repeated: one call of {one.parent.handler} made {one.times:,} of "
            f"{one.child.handler}; smartcollect_repeat_threshold is {threshold:,} ({one.test})"
        )
