"""``smartcollect combine``: combine the shards of a run into one report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from .program import BAD, Refused, say, warn
from .reading import REPORTS, files_of, no_collection, profile_in


@click.command()
@click.argument("shards", metavar="SHARD...", nargs=-1, required=True, type=REPORTS)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report of the whole run to FILE, whose name ends in .json.",
)
@click.option(
    "--expect",
    metavar="N",
    type=click.IntRange(1),
    help="Expect N shards. With fewer, the result is incomplete and the exit status is 1.",
)
def combine(shards: tuple[Path, ...], output: Path, expect: int | None) -> int:
    """Combine the reports of several jobs into one.

    Each job ran a part of the suite. SHARD is the report of a job, or a folder whose .json files
    are all shards. The shards are not changed. Their order does not affect the result.
    """
    from ..profiles import shards as parts
    from ..reports.report_file import report
    from ..reports.writing import write
    from ..text import plural

    files = files_of(shards)
    _check(files, shards, output)
    with no_collection():
        given = [parts.Shard(str(file), profile_in(file)) for file in files]
        try:
            run = parts.combine(given, expect)
        except ValueError as error:
            raise Refused(str(error)) from None
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            write(output, report(run.profile))
        except OSError as error:
            raise Refused(f"{output}: the report cannot be written: {error.strerror}") from None
    for shard in given:
        for why in shard.profile.incomplete:
            warn(f"{shard.name} is incomplete: {why}")
    for note in run.notes:
        warn(note)
    tests = plural(len(run.profile.tests), "test")
    say(f"combined {plural(len(given), 'shard')} with {tests}: {output}")
    is_short = expect is not None and len(given) < expect
    if is_short:
        warn(f"incomplete: {run.profile.incomplete[0]}")
    return BAD if is_short else 0


def _check(files: list[Path], given: tuple[Path, ...], output: Path) -> None:
    """Refuse repeated shards, and an output that is a shard or would become one."""
    file, times = Counter(files).most_common(1)[0]
    if times > 1:
        raise Refused(f"{file} is given twice; give each shard once")
    if output.suffix.lower() != ".json":
        raise Refused(f"--output: {str(output)!r} does not end in .json")
    place = output.resolve()
    if any(place == file.resolve() for file in files):
        raise Refused(f"--output: {output} is also a shard; write the result to another file")
    if any(folder.is_dir() and place.parent == folder.resolve() for folder in given):
        raise Refused(
            f"--output: {output} would count as a shard of {place.parent.name} next time; write "
            "the result to another folder"
        )
