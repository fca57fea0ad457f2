"""The runs to compare with, and the database that this run is added to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import options
from .options import Options, Url

if TYPE_CHECKING:
    import pytest

    from smartcollect import Profile
    from smartcollect.database.kept_runs import KeptRuns
    from smartcollect.profiles.trend import Trend
    from smartcollect.profiles.verdict import Verdict


class History:
    """The runs to compare with, and the database that this run is added to.

    Args:
        config: pytest's configuration.
        given: the options.

    Raises:
        pytest.UsageError: A file or database in the options cannot be used.
    """

    def __init__(self, config: pytest.Config, given: Options) -> None:
        self._config = config
        self._given = given
        self._files: list[Profile] = []
        # Check now: a long run should not end with an error about its options.
        self._history = None if given.history is None else self._kept("history", given.history)
        self._databases: list[tuple[Url, KeptRuns]] = []
        for one in given.compare:
            if isinstance(one, Path):
                self._load(one)
            else:
                self._databases.append((one, self._kept("compare", one)))

    def _kept(self, option: str, url: Url) -> KeptRuns:
        try:
            from smartcollect.database.kept_runs import FAILURES, KeptRuns, reason
        except ModuleNotFoundError as error:
            raise options.refuse(self._config, self._given, option, url, str(error)) from None
        try:
            kept = KeptRuns(url.text, url.below)
            kept.check(writing=option == "history")
        except FAILURES as error:
            raise options.refuse(self._config, self._given, option, url, reason(error)) from None
        return kept

    def _load(self, path: Path) -> None:
        from smartcollect.profiles.files import load_runs
        from smartcollect.text import short_path

        try:
            self._files += load_runs(path)
        except ValueError as error:
            why = str(error)
            if path.suffix == ".json" and not path.exists():
                why += f"; write it first with --smartcollect-report={short_path(path)}"
            raise options.refuse(self._config, self._given, "compare", path, why) from None

    def baseline(self, profile: Profile) -> tuple[list[Profile], list[str]]:
        """Return the runs to compare with, and errors from reading databases.

        Databases contribute only runs of this machine.

        Args:
            profile: the profile of this run.
        """
        found, failures = list(self._files), []
        for url, kept in self._databases:
            from smartcollect.database.kept_runs import FAILURES, reason

            assert profile.run is not None
            try:
                found += kept.last(profile.run.machine)
            except FAILURES as error:
                failures.append(f"{url}: cannot read earlier runs: {reason(error)}")
        return found, failures

    def trends(self, profile: Profile) -> tuple[list[Trend], list[str]]:
        """Return the trends of handlers over the last runs, and errors from the database.

        Args:
            profile: the profile of this run.
        """
        known = [(self._given.history, self._history), *self._databases]
        url, kept = next(((url, one) for url, one in known if one is not None), (None, None))
        if kept is None:
            return [], []
        from smartcollect.database.kept_runs import FAILURES, reason

        assert profile.run is not None
        try:
            return kept.trends(profile.run.machine), []
        except FAILURES as error:
            return [], [f"{url}: cannot read trends: {reason(error)}"]

    def nothing(self) -> str:
        """Return the note for a baseline without runs; it lists where runs were looked for."""
        places = [f"report in {one}" for one in self._given.compare if isinstance(one, Path)]
        for url, kept in self._databases:
            of_branch = f" of branch {kept.branch}" if kept.branch else ""
            places.append(f"run on this machine{of_branch} in {url}")
        return f"nothing to compare with: there is no {' and no '.join(places)}"

    def add(self, verdict: Verdict, profile: Profile, partial: str) -> tuple[Verdict, str]:
        """Add this run to the database of ``--smartcollect-history`` if the run is complete.

        Args:
            verdict: the verdict on this run.
            profile: the profile of this run.
            partial: reason why only part of the suite ran, or ``""``.

        Returns:
            The verdict, with a note or failure if the run was not added, and a line that says
            where it was added, or ``""``.
        """
        url = self._given.history
        if self._history is None:
            return verdict, ""
        missing = [*profile.incomplete, partial]
        if missing[0]:
            return verdict.noting(f"{url}: this run is not added: {missing[0]}"), ""
        from smartcollect.database.kept_runs import FAILURES, reason

        # Marked, so that a slower run does not become the baseline of the next one.
        regressed = verdict.comparison is not None and bool(verdict.comparison.regressions)
        try:
            number = self._history.add(profile, regressed)
        except FAILURES as error:
            return verdict.failing(f"{url}: this run was not added: {reason(error)}"), ""
        why = "; this run was slower than allowed, so later runs are not compared with it"
        note = why if regressed else ""
        return verdict, f"added smartcollect run {number:,} to {url}{note}"
