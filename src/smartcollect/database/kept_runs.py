"""``KeptRuns``: a database that keeps the runs of a test suite."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from ..checks import is_whole_number
from ..profiles.profile import Profile
from ..text import one_line
from .engine import Database
from .runs import Chosen, add_run, last_runs

RUNS = 10
"""How many runs a new one is compared with unless the URL says something else."""
FAILURES = OSError, ValueError, SQLAlchemyError
"""What is raised where a database cannot be used."""


class KeptRuns:
    """A database that keeps the runs of a test suite.

    Args:
        url: of the database. ``?runs=5`` and ``&branch=main`` choose the runs that a new one is
            compared with: how many of the last ones, 10 unless given, and of which branch of the
            code, any unless given.

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

    def __init__(self, url: str) -> None:
        given = Database(url)
        query = dict(given.url.query)
        runs, branch = query.pop("runs", str(RUNS)), query.pop("branch", None)
        if not isinstance(runs, str) or not runs.isdecimal() or not is_whole_number(int(runs)):
            raise ValueError(f"runs={runs!r} is not a number of runs; write ?runs=5")
        if branch is not None and not isinstance(branch, str):
            raise ValueError("branch is given twice; give one branch, such as ?branch=main")
        self.database = Database(given.url.set(query=query))
        self.runs = int(runs)
        self.branch = branch

    def __str__(self) -> str:
        return str(self.database)

    def check(self, writing: bool) -> None:
        """Connect once, to see whether the database can be used.

        Args:
            writing: whether runs will be added, and tables may be made for that.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: it cannot.
        """
        with self.database.writing() if writing else self.database.reading():
            pass

    def add(self, profile: Profile) -> int:
        """Add a run, and return its number.

        Args:
            profile: what the run came to, and what made it.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: it could not be written.
        """
        with self.database.writing() as connection, connection.begin():
            return add_run(connection, profile)

    def last(self, machine: Mapping[str, str]) -> list[Profile]:
        """Return the profiles of the last runs, oldest first, without what each test did.

        Args:
            machine: that they ran on.

        Raises:
            OSError, ValueError, sqlalchemy.exc.SQLAlchemyError: they cannot be read.
        """
        with self.database.reading() as connection:
            return last_runs(connection, self.runs, Chosen(machine, self.branch), tests=False)


def reason(error: BaseException) -> str:
    """Return why a database could not be used, in one line."""
    # SQLAlchemy adds the statement and a link to what drivers say.
    return one_line(" ".join(str(getattr(error, "orig", None) or error).split()), 300)
