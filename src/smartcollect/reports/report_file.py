"""Report files: profiles written as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from ..profiles.document import written_phases
from ..profiles.lines import Phases, line
from ..profiles.parts import Phase
from ..profiles.profile import Profile
from .strict_json import json_text, quick_text

_AT_ONCE = 1_000


def report(profile: Profile) -> Iterator[str]:
    """Yield a profile as strict JSON, in pieces. Each item of its lists is one line.

    Example:
        >>> "".join(report(Profile())).startswith('{\\n"schema": "smartcollect/profile"')
        True
    """
    yield "{\n"
    comma = ""
    for key, value in replace(profile, tests={}).to_dict().items():
        yield f"{comma}{json_text(key)}: "
        comma = ",\n"
        if key == "tests":
            yield from _list(map(_line, profile.tests.items()))
        elif isinstance(value, list):
            yield from _list(map(quick_text, value))
        else:
            yield json_text(value)
    yield "\n}\n"


def _list(items: Iterable[str]) -> Iterator[str]:
    rest = iter(items)
    before = "[\n"
    # In groups: one by one would be slow, and all together may not fit in memory.
    while some := list(islice(rest, _AT_ONCE)):
        yield before
        yield ",\n".join(some)
        before = ",\n"
    yield "\n]" if before == ",\n" else "[]"


def _line(item: tuple[str, Mapping[str, Phase]]) -> str:
    test, phases = item
    text = phases.text if isinstance(phases, Phases) else quick_text(written_phases(phases))
    return line(quick_text(test), text)
