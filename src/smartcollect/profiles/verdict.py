"""The verdict on a run: its profile checked against budgets, rules and a baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..names import Names, no_such, short_names
from ..storage.fields import STATISTICS
from ..storage.findings import Repeat
from .budgets import Budget, Violation, over, unreached
from .comparison import MINIMUM, Comparison, compare
from .growth import Change
from .profile import Profile
from .rules import DRIFT, Rule

NOTHING = (
    "nothing to judge: no handlers were found; register functions with smartswitch, or name their "
    "package in smartcollect_watch"
)
"""The failure of a run without handlers that was to be judged."""


@dataclass(frozen=True)
class Expectations:
    """The settings that a run is judged by.

    Attributes:
        budgets: limits on the statistics of the whole run.
        test_budgets: limits on each test. Tests are judged elsewhere; here an unused limit only
            makes a note.
        fail_uncalled: True if an uncalled handler fails the run.
        allow_uncalled: patterns of handlers that may stay uncalled.
        repeat_threshold: the number of calls of a handler under one call that fails the run; 0 for
            no limit.
        allow_repeats: pairs of patterns, for a caller and a called handler, that may repeat.
        compare_fail: rules for the allowed growth of statistics since the baseline.
        compare_min: the smallest growth of a time that counts, in seconds.
    """

    budgets: tuple[Budget, ...] = ()
    test_budgets: tuple[Budget, ...] = ()
    fail_uncalled: bool = False
    allow_uncalled: tuple[str, ...] = ()
    repeat_threshold: int = 0
    allow_repeats: tuple[tuple[str, str], ...] = ()
    compare_fail: tuple[Rule, ...] = ()
    compare_min: float = MINIMUM

    def judge_any(self, comparison: Comparison | None) -> bool:
        """Return whether any of the settings judges the run.

        Args:
            comparison: the comparison with the baseline, if there is one. A comparison between
                different machines is not judged.
        """
        compares = self.compare_fail and comparison is not None and not comparison.elsewhere
        return bool(
            self.budgets
            or self.test_budgets
            or self.fail_uncalled
            or self.repeat_threshold
            or compares
        )

    def need_handlers(self, has_baseline: bool) -> bool:
        """Return whether any of the settings would pass only because no handler was found.

        Args:
            has_baseline: whether the run is compared with a baseline.
        """
        return bool(
            self.fail_uncalled or self.repeat_threshold or (self.compare_fail and has_baseline)
        )


@dataclass(frozen=True)
class Verdict:
    """The result of judging a run.

    Attributes:
        failures: why the run fails, one line for each cause.
        notes: what was not judged and why, one line each.
        comparison: the comparison with the baseline, if there is one.
        over_budget: the statistics over the budgets of the run, the largest excess first. Each is
            also one of the failures.
        repeated: the calls that repeat too often. Each is also one of the failures.
        partial: why only a part of the suite ran; ``""`` if everything was judged.
        unjudged: the number of expectations that were not judged because only a part ran.
    """

    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    comparison: Comparison | None = None
    over_budget: tuple[Violation, ...] = ()
    repeated: tuple[Repeat, ...] = ()
    partial: str = ""
    unjudged: int = 0

    def names(self, profile: Profile) -> Names:
        """Return the short names of all handlers of a run, and of those it is compared with."""
        compared = self.comparison.names if self.comparison else ()
        return short_names({*profile.handlers, *compared})

    def failing(self, *failures: str) -> Verdict:
        """Return a copy of the verdict with more failures."""
        return replace(self, failures=(*self.failures, *failures))

    def noting(self, *notes: str) -> Verdict:
        """Return a copy of the verdict with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def judge(
    profile: Profile,
    expectations: Expectations,
    baseline: Profile | Sequence[Profile] = (),
    partial: Callable[[], str] = lambda: "",
    missed: Iterable[str] = (),
) -> Verdict:
    """Judge a run.

    Args:
        profile: the profile of the run.
        expectations: the settings to judge by.
        baseline: the profile of an earlier run, or several, to compare with.
        partial: a function that returns why only a part of the suite ran, or ``""`` if all of it
            ran. It is called only if something is missing.
        missed: further missing things, one line each. They fail a run of the whole suite.

    Returns:
        The verdict: failures, notes and the comparison.

    Example:
        >>> judge(Profile(), Expectations()).failures
        ()
    """
    handlers = profile.handlers
    verdict = Verdict()
    if isinstance(baseline, Profile) or baseline:
        rules, minimum = expectations.compare_fail, expectations.compare_min
        verdict = Verdict(comparison=compare(baseline, profile, rules, minimum))
    names = verdict.names(profile)
    over_budget = over([expectations.budgets], handlers)
    missed = [
        *missed,
        *(f"unused budget: {one}" for one in unreached(expectations.budgets, handlers)),
        *_uncalled(profile, expectations, names),
    ]
    if not missed and not handlers and expectations.need_handlers(bool(baseline)):
        missed = [NOTHING]
    unused = unreached(expectations.test_budgets, handlers)
    unknown = list(_unknown(profile, expectations))
    # In a partial run, the tests that did not run may call what is missing.
    why = partial() if missed or unknown else ""
    repeated = list(_repeated(profile, expectations))
    verdict = replace(
        verdict,
        over_budget=tuple(over_budget),
        repeated=tuple(repeated),
        partial=why if missed else "",
        unjudged=len(missed) if why else 0,
    )
    verdict = verdict.failing(
        *(f"over budget: {one.line(names)}" for one in over_budget),
        *(() if why else missed),
        *(_repeats(one, expectations.repeat_threshold, names) for one in repeated),
    ).noting(
        *(f"unused test budget: {one}" for one in unused),
        *([f"not judged, since {why}: {one}" for one in missed] if why else unknown),
    )
    return verdict if verdict.comparison is None else _with_growth(verdict, expectations, names)


def _with_growth(verdict: Verdict, expectations: Expectations, names: Names) -> Verdict:
    """Add the failures and notes of the comparison."""
    comparison = verdict.comparison
    assert comparison is not None
    verdict = verdict.failing(*(_regression(one, names) for one in comparison.regressions))
    of_all = [rule for rule in expectations.compare_fail if rule.field == DRIFT]
    broken = comparison.slower_by(of_all)
    if broken is not None:
        return verdict.failing(
            f"everything is slower: {comparison.drift}; {broken.percent:g} % allowed"
        )
    if of_all and not comparison.drift.is_known:
        return verdict.noting(f"{of_all[0]} is not judged: {comparison.drift}")
    return verdict


def _regression(change: Change, names: Names) -> str:
    before, after = map(STATISTICS[change.field].text, (change.before, change.after))
    return (
        f"regression: {names[change.name]}: {change.field} went from {before} to {after}: "
        f"{change.why}"
    )


def _uncalled(profile: Profile, expectations: Expectations, names: Names) -> Iterator[str]:
    if not expectations.fail_uncalled:
        return
    uncalled = [
        names[name]
        for name in profile.uncalled()
        if not any(name.like(pattern) for pattern in expectations.allow_uncalled)
    ]
    if uncalled:
        yield f"never called: {', '.join(uncalled)}"


def _unknown(profile: Profile, expectations: Expectations) -> Iterator[str]:
    """Yield a note for each pattern in an exception that matches no handler."""
    uncalled = expectations.allow_uncalled if expectations.fail_uncalled else ()
    repeats = expectations.allow_repeats if expectations.repeat_threshold else ()
    allowed = {
        "allow_uncalled": uncalled,
        "allow_repeats": [one for pair in repeats for one in pair],
    }
    for setting, patterns in allowed.items():
        for pattern in dict.fromkeys(patterns):
            if profile.handlers and not any(name.like(pattern) for name in profile.handlers):
                yield f"{setting}: {no_such(profile.handlers, pattern)}"


def _repeated(profile: Profile, expectations: Expectations) -> Iterator[Repeat]:
    threshold = expectations.repeat_threshold
    for one in profile.repeats:
        if not threshold or one.times < threshold:
            continue
        if any(
            one.parent.like(parent) and one.child.like(child)
            for parent, child in expectations.allow_repeats
        ):
            continue
        yield one


def _repeats(one: Repeat, threshold: int, names: Names) -> str:
    parent, child = (names.get(name, name.full) for name in (one.parent, one.child))
    place = f" ({one.test})" if one.test else ""
    return (
        f"repeated: one call to {parent} made {one.times:,} calls to {child}; "
        f"{threshold:,} or more fail{place}"
    )
