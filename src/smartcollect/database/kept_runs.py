"""``KeptRuns``: a database that keeps the runs of a test suite."""

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
"""How many runs a new one is compared with unless the URL says something else."""
TREND_RUNS = 50
"""How many of the last runs a trend line shows."""
FAILURES = OSError, ValueError, ModuleNotFoundError, SQLAlchemyError
"""What is raised where a database cannot be used."""


class KeptRuns:
    """A database that keeps the runs of a test suite.

    Args:
        url: of the database. ``?runs=5`` and ``&branch=main`` choose the runs that a new one is
            compared with: how many of the last ones, 10 unless given, and of which branch of the
            code, any unless given.
        folder: what the path of a SQLite file starts from; the working directory if left out.

    Attributes:
        database: where the runs are.
        runs: how many of the last ones `last` returns, at most.
        branch: of their code; ``None`` for any.

    Raises:
        ValueError: it is not such a URL.
        ModuleNotFoundError: a driver is missing.

    Example:
        >>> kept = KeptRuns("sqlite:///runs.db?runs=5&branch=main")
        >>> kept.runs, kept.branch
        (5, 'main')
    """

    def __init__(self, url: str, folder: Path | None = None) -> None:
        Database(url)  # or a ValueError
        made = make_url(url)
        query = dict(made.query)
        runs, branch = query.pop("runs", str(RUNS)), query.pop("branch", None)
        if not isinstance(runs, str) or not runs.isdecimal() or not is_whole_number(int(runs)):
            raise ValueError(f"runs={runs!r} is not a number of runs; write ?runs=5")
        if int(runs) == 0:
            raise ValueError("runs=0 leaves nothing to compare with; write ?runs=5")
        if branch is not None and not isinstance(branch, str):
            raise ValueError("branch is given twice; give one branch, such as ?branch=main")
        # PostgreSQL says itself what it does not know.
        if query and made.drivername.startswith("sqlite"):
            raise ValueError(f"{next(iter(query))!r} is unknown; choose from runs, branch")
        self.database = Database(_placed(made.set(query=query), folder))
        self.runs = int(runs)
        self.branch = branch

    def check(self, writing: bool) -> None:
        """Connect once, to see whether the database can be used.

        Args:
            writing: whether runs will be added, and tables may be made for that.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: it cannot.
        """
        with self.database.writing() if writing else self.database.reading():
            pass

    def add(self, profile: Profile, regressed: bool = False) -> int:
        """Add a run, and return its number.

        Args:
            profile: what the run came to, and what made it.
            regressed: whether it became slower than earlier runs allow; `last` leaves such runs
                out.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: it could not be written.
        """
        with self.database.writing() as connection, connection.begin():
            return add_run(connection, profile, regressed)

    def has(self, profile: Profile) -> bool:
        """Tell whether a run was added before.

        Args:
            profile: what the run came to, and what made it.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: that cannot be read.
        """
        with self.database.writing() as connection, connection.begin():
            return has_run(connection, profile)

    def last(self, machine: Mapping[str, str]) -> list[Profile]:
        """Return the profiles of the last runs, oldest first, without what each test did.

        Args:
            machine: that they ran on.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: they cannot be read.
        """
        chosen = Chosen(machine, self.branch, regressed=False)
        with self.database.reading() as connection:
            return last_runs(connection, self.runs, chosen, tests=False)

    def trends(self, machine: Mapping[str, str]) -> list[Trend]:
        """Return how each handler developed over the last runs, `TREND_RUNS` at most.

        Args:
            machine: that they ran on.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: they cannot be read.
        """
        chosen = Chosen(machine, self.branch)
        with self.database.reading() as connection:
            known = development(connection, chosen, TREND_RUNS)
        return trends(*known, sorted(known.handlers))


def _placed(url: URL, folder: Path | None) -> URL:
    """Return a URL with the path of its file as paths in options are taken."""
    if folder is None or not url.drivername.startswith("sqlite") or not url.database:
        return url
    path = Path(os.path.expanduser(os.path.expandvars(url.database)))
    return url.set(database=str(folder / path))


def reason(error: BaseException) -> str:
    """Return why a database could not be used, in one line."""
    # SQLAlchemy adds the statement and a link to what drivers say.
    return one_line(" ".join(str(getattr(error, "orig", None) or error).split()), 300)
