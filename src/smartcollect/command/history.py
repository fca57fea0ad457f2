"""``smartcollect history``: list and delete the runs in a database, and show trends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from .output import say_sections
from .program import Refused, say
from .reading import COUNT, PATTERN, database_errors

if TYPE_CHECKING:
    from ..database.history import History
    from ..profiles.profile import Profile

_DB = click.option(
    "--db",
    "url",
    metavar="URL",
    required=True,
    envvar="SMARTCOLLECT_DB",
    show_envvar=True,
    help="The database, such as sqlite:///runs.db.",
)
_BRANCH = click.option("--branch", metavar="NAME", help="Only runs of the git branch NAME.")


@click.group(no_args_is_help=False)
def history() -> None:
    """List and delete the runs in a database, and show trends.

    pytest --smartcollect-history adds runs.
    """


@history.command("list")
@_DB
@_BRANCH
@click.option(
    "--last",
    metavar="N",
    type=COUNT,
    default="20",
    show_default=True,
    help="Only the N newest runs, 0 for all.",
)
def list_runs(url: str, branch: str | None, last: int) -> None:
    """List the runs, newest last."""
    from ..reports.summary import Section

    with _opened(url) as kept:
        runs = kept.runs(last or None, branch)
    if not runs:
        say("there are no runs" + (f" of branch {branch}" if branch else ""))
        return
    say_sections([Section(rows=list(map(_row, runs)))])


def _row(profile: Profile) -> dict[str, object]:
    from ..units import duration, moment

    run, called = profile.run, profile.called().values()
    revision = None if run is None else run.revision
    return {
        "when": "" if run is None else moment(run.created),
        "commit": "" if revision is None else revision.commit[:12] + "*" * revision.dirty,
        "branch": "" if revision is None else revision.branch,
        "tests": f"{len(profile.tests):,}",
        "calls": f"{sum(stats.calls for stats in called):,}",
        "total": duration(sum(stats.total_time for stats in called)),
    }


@history.command()
@click.argument("pattern", required=False, type=PATTERN)
@_DB
@_BRANCH
def trend(pattern: str | None, url: str, branch: str | None) -> None:
    """Show when the calls, errors or time of handlers changed.

    A change counts if three runs in a row confirm it. PATTERN is the name of a handler, or a
    pattern such as orders.*; without it, all handlers are shown.
    """
    with _opened(url) as kept:
        try:
            trends = kept.trend(pattern, branch)
        except KeyError as error:
            raise Refused(str(error)) from None
        for line in str(trends).splitlines():
            say(line)


@history.command()
@_DB
@click.option("--keep", metavar="N", type=COUNT, help="Keep the N newest runs.")
@click.option(
    "--before",
    "--older-than",
    metavar="TIME",
    help="Delete only runs older than TIME: a date such as 2024-05-31, or an age such as 180d.",
)
@click.option("--dry-run", is_flag=True, help="Only print the number of runs to delete.")
def prune(url: str, keep: int | None, before: str | None, dry_run: bool) -> None:
    """Delete old runs."""
    from ..text import plural

    if keep is None and before is None:
        raise click.UsageError("say which runs to delete: use --keep N, --before TIME, or both")
    with _opened(url) as kept:
        deleted = kept.prune_runs(before, keep, dry_run)
    say(f"{plural(deleted, 'run')} {'would be deleted' if dry_run else 'deleted'}")


@contextmanager
def _opened(url: str) -> Iterator[History]:
    with database_errors(url):
        from ..database.history import History

        with History(url) as kept:
            yield kept
