"""Combination of shards, each a profile of a part of the suite, into one profile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple

from ..text import plural
from .machine import mixed
from .merge import merge
from .parts import Run
from .profile import Profile
from .revision import Revision


class Shard(NamedTuple):
    """One shard of a run.

    Attributes:
        name: the name for messages, such as the name of the file.
        profile: the profile of the shard.
    """

    name: str
    profile: Profile


class Combined(NamedTuple):
    """A whole run, combined from its shards.

    Attributes:
        profile: the profile of the whole run.
        notes: warnings about the shards, one line each.
    """

    profile: Profile
    notes: tuple[str, ...]


def combine(shards: Iterable[Shard], expected: int | None = None) -> Combined:
    """Return the profile of the whole run.

    The result does not depend on the order of the shards: even sums are equal to the last digit.

    Args:
        shards: the shards, with different names.
        expected: the expected number of shards; the profile is incomplete if there are fewer.

    Raises:
        ValueError: there are no shards, more than expected, or two equal shards.

    Example:
        >>> run = combine([Shard("1.json", Profile(incomplete=("interrupted",)))], expected=2)
        >>> run.profile.incomplete
        ('1 of 2 shards is missing', 'interrupted')
    """
    given = _in_order(list(shards))
    if not given:
        raise ValueError("there are no shards to combine")
    missing = 0 if expected is None else expected - len(given)
    if missing < 0:
        raise ValueError(f"there are {plural(len(given), 'shard')}, but only {expected} expected")
    profiles = [shard.profile for shard in given]
    merged = merge(profiles)
    incomplete = merged.incomplete
    if missing:
        is_or_are = "is" if missing == 1 else "are"
        cause = f"{missing:,} of {plural(expected or 0, 'shard')} {is_or_are} missing"
        incomplete = (cause, *incomplete)
    run = _run_of([profile.run for profile in profiles])
    notes = (*_revisions(given), *_run_twice(given))
    return Combined(replace(merged, run=run, incomplete=incomplete), notes)


def _in_order(shards: Sequence[Shard]) -> list[Shard]:
    """Return the shards in an order that depends only on their contents.

    Raises:
        ValueError: two shards are equal.
    """
    often = Counter(map(_created, shards))

    def order(shard: Shard) -> tuple[float, str]:
        # The contents are slow to compare, and shards rarely have the same time.
        created = _created(shard)
        return created, _content(shard) if often[created] > 1 else ""

    known: dict[tuple[float, str], str] = {}
    for shard in sorted(shards, key=attrgetter("name")):
        other = known.setdefault(order(shard), shard.name)
        if other != shard.name:
            raise ValueError(f"{other} and {shard.name} are the same shard; give each shard once")
    return sorted(shards, key=order)


def _created(shard: Shard) -> float:
    return 0.0 if shard.profile.run is None else shard.profile.run.created


def _content(shard: Shard) -> str:
    return json.dumps(shard.profile.to_dict(), sort_keys=True)


def _run_of(runs: Sequence[Run | None]) -> Run | None:
    """Return the common properties of the shards' runs; ``None`` if a shard has no run."""
    known = [run for run in runs if run is not None]
    if len(known) < len(runs):
        return None
    first = known[0]
    return Run(
        created=min(run.created for run in known),
        command=first.command if all(run.command == first.command for run in known) else (),
        machine=mixed([run.machine for run in known]),
        versions=_agreed([run.versions for run in known]),
        revision=_revision_of([run.revision for run in known]),
    )


def _agreed(versions: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    return MappingProxyType(
        {
            key: value
            for key, value in versions[0].items()
            if all(other.get(key) == value for other in versions)
        }
    )


def _revision_of(revisions: Sequence[Revision | None]) -> Revision | None:
    """Return the revision of the shards; ``None`` if unknown or if the commits differ."""
    known = [one for one in revisions if one is not None]
    if len(known) < len(revisions) or len({one.commit for one in known}) > 1:
        return None
    branches = {one.branch for one in known}
    return Revision(
        known[0].commit,
        known[0].branch if len(branches) == 1 else "",
        any(one.dirty for one in known),
    )


def _revisions(shards: Sequence[Shard]) -> list[str]:
    """Return a warning if the shards come from different commits."""
    runs = [shard.profile.run for shard in shards]
    commits = {run.revision.commit[:12] for run in runs if run and run.revision}
    if len(commits) < 2:
        return []
    return [f"the shards come from different commits: {', '.join(sorted(commits))}"]


def _run_twice(shards: Sequence[Shard]) -> list[str]:
    """Return a warning if several shards ran the same tests."""
    ran: dict[str, Shard] = {}
    twice = {}
    for shard in shards:
        for test in shard.profile.tests:
            other = ran.setdefault(test, shard)
            if other is not shard:
                twice[test] = f"{test} ({other.name}, {shard.name})"
    if not twice:
        return []
    one = twice[min(twice)]
    many = f"{plural(len(twice), 'test')} {'is' if len(twice) == 1 else 'are'}"
    return [f"{many} in more than one shard and counted each time, such as {one}"]
