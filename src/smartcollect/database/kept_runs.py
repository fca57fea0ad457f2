"""``KeptRuns``: a database with the history of runs of a test suite."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from ..checks import is_whole_number
from ..profiles.profile import Profile
from ..profiles.trend import Trend, trends
from ..text import one_line
from .engine import Database
from .runs import Chosen, add_run, development, has_run, last_runs

RUNS = 10
"""The default number of earlier runs that a new run is compared with."""
TREND_RUNS = 50
"""The number of runs in a trend line."""
FAILURES = OSError, ValueError, ModuleNotFoundError, SQLAlchemyError
"""The exceptions raised if a database cannot be used."""


class KeptRuns:
    """A database with the history of runs of a test suite.

    Args:
        url: the URL of the database. ``?runs=5&branch=main`` selects the earlier runs that a new
            run is compared with: their number (by default 10) and their branch (by default any).
        folder: the folder that a relative path of a SQLite file starts from; by default the
            working directory.

    Attributes:
        database: the database of the runs.
        runs: the maximum number of runs that `last` returns.
        branch: the branch of these runs; ``None`` for any.

    Raises:
        ValueError: the URL is invalid.
        ModuleNotFoundError: a driver is missing.

    Example:
        >>> kept = KeptRuns("sqlite:///runs.db?runs=5&branch=main")
        >>> kept.runs, kept.branch
        (5, 'main')
    """

    def __init__(self, url: str, folder: Path | None = None) -> None:
        Database(url)  # checks the URL
        made = make_url(url)
        query = dict(made.query)
        runs, branch = query.pop("runs", str(RUNS)), query.pop("branch", None)
        if not isinstance(runs, str) or not runs.isdecimal() or not is_whole_number(int(runs)):
            raise ValueError(f"runs must be a number of runs such as ?runs=5, not {runs!r}")
        if int(runs) == 0:
            raise ValueError("runs=0 leaves nothing to compare with; use a number such as ?runs=5")
        if branch is not None and not isinstance(branch, str):
            raise ValueError("branch is given twice; pass one branch, such as ?branch=main")
        # PostgreSQL rejects unknown options itself.
        if query and made.drivername.startswith("sqlite"):
            raise ValueError(f"unknown option {next(iter(query))!r}; choose from runs, branch")
        self.database = Database(_placed(made.set(query=query), folder))
        self.runs = int(runs)
        self.branch = branch

    def check(self, writing: bool) -> None:
        """Connect once, to check that the database can be used.

        Args:
            writing: true if runs will be added; missing tables are then created.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        with self.database.writing() if writing else self.database.reading():
            pass

    def add(self, profile: Profile, regressed: bool = False) -> int:
        """Add a run, and return its id.

        Args:
            profile: the profile of the run.
            regressed: true if its comparison failed; `last` leaves such runs out.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: the run cannot be written.
        """
        with self.database.writing() as connection, connection.begin():
            return add_run(connection, profile, regressed)

    def has(self, profile: Profile) -> bool:
        """Return whether a run was added before.

        Args:
            profile: the profile of the run.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: the database cannot be read.
        """
        with self.database.writing() as connection, connection.begin():
            return has_run(connection, profile)

    def last(self, machine: Mapping[str, str]) -> list[Profile]:
        """Return the profiles of the last runs, oldest first, without the parts of single tests.

        Runs that regressed are left out.

        Args:
            machine: return only runs of this machine.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: the runs cannot be read.
        """
        chosen = Chosen(machine, self.branch, regressed=False)
        with self.database.reading() as connection:
            return last_runs(connection, self.runs, chosen, tests=False)

    def trends(self, machine: Mapping[str, str]) -> list[Trend]:
        """Return the trend of each handler over the last `TREND_RUNS` runs.

        Args:
            machine: use only runs of this machine.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: the runs cannot be read.
        """
        chosen = Chosen(machine, self.branch)
        with self.database.reading() as connection:
            known = development(connection, chosen, TREND_RUNS)
        return trends(*known, sorted(known.handlers))


def _placed(url: URL, folder: Path | None) -> URL:
    """Return a URL whose file path is expanded and relative to ``folder``, as in other options."""
    if folder is None or not url.drivername.startswith("sqlite") or not url.database:
        return url
    path = Path(os.path.expanduser(os.path.expandvars(url.database)))
    return url.set(database=str(folder / path))


def reason(error: BaseException) -> str:
    """Return a one-line reason for a failure of a database."""
    # SQLAlchemy adds the statement and a link to the message of the driver.
    return one_line(" ".join(str(getattr(error, "orig", None) or error).split()), 300)
