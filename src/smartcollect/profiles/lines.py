"""Lazy reading of the tests in a report file, one line each.

Tests make up most of a report, and most readers need few of them. So a regular expression checks
the line of each test, and its phases stay JSON text until they are needed, or are written again
unchanged. Loading a report this way takes a fifth of the time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from .document import Tests, read_phases
from .parts import Phase

_TEXT = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\bfnrt]|u00[01][0-9a-f])[^"\\\x00-\x1f]*+)*+"'
_COUNT = r"(?:0|[1-9]\d{0,17}+)"
_TIME = r"(?:0|[1-9]\d{0,11}+)(?:\.\d++)?+(?:e-\d{1,3}+)?+"
_HANDLER = (
    rf'\{{"switcher": {_TEXT}, "handler": {_TEXT}, '
    rf'"calls": {_COUNT}, "errors": {_COUNT}, "total_time": {_TIME}\}}'
)
_HANDLERS = rf"\[(?:{_HANDLER}(?:, {_HANDLER})*+)?+\]"
_PHASE = rf'{_TEXT}: \{{"outcome": {_TEXT}, "duration": {_TIME}, "handlers": {_HANDLERS}\}}'
_PHASES = rf"\{{(?:{_PHASE}(?:, {_PHASE})*+)?+\}}"
_BEGIN, _BETWEEN, _END = '{"test": ', ', "phases": ', "}"
_LINE = re.compile(rf"{re.escape(_BEGIN)}({_TEXT}){_BETWEEN}({_PHASES}){_END}(,\n|\n\])", re.ASCII)
"""The line of a test, exactly as `line` and `smartcollect.profiles.document` write it."""
_OPEN, _LAST = "[\n", "\n]"
_FIRST = f'\n"tests": {_OPEN}'
NOT_HERE = "NaN"
"""The placeholder for the tests in the text that `take` leaves; no report contains this word."""


class Phases(Mapping[str, Phase]):
    """The phases of a test, parsed at the first access.

    Args:
        text: the phases as JSON that `_PHASES` matches.
    """

    __slots__ = ("_read", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._read: Mapping[str, Phase] | None = None

    def _phases(self) -> Mapping[str, Phase]:
        if self._read is None:
            self._read = read_phases(json.loads(self.text))
        return self._read

    def __getitem__(self, when: str) -> Phase:
        return self._phases()[when]

    def __iter__(self) -> Iterator[str]:
        return iter(self._phases())

    def __len__(self) -> int:
        return len(self._phases())

    def __repr__(self) -> str:
        return repr(self._phases())


class Taken(NamedTuple):
    """A report file with its tests taken out.

    Attributes:
        rest: the text of the file, with `NOT_HERE` in place of the tests.
        tests: the phases of each test.
    """

    rest: str
    tests: Tests


def take(text: str) -> Taken | None:
    """Take the tests out of the text of a report file.

    Args:
        text: the text of the whole file.

    Returns:
        The parts, or ``None`` if the tests are not formatted as smartcollect writes them.
    """
    # JSON strings contain no raw newline, so this is a key, not part of a string.
    start = text.find(_FIRST)
    if start < 0:
        return None
    at = start = start + len(_FIRST)
    end = ""
    tests = {}
    while end != _LAST:
        found = _LINE.match(text, at)
        if found is None:
            return None
        test, phases, end = found.groups()
        # Parse the name only if it has escapes, which is rare.
        name = str(json.loads(test)) if "\\" in test else test[1:-1]
        tests[name] = Phases(phases)
        at = found.end()
    return Taken(f"{text[: start - len(_OPEN)]}{NOT_HERE}{text[at:]}", MappingProxyType(tests))


def line(test: str, phases: str) -> str:
    """Return the line of a test.

    Args:
        test: the name of the test, as JSON.
        phases: the phases of the test, as JSON.
    """
    return f"{_BEGIN}{test}{_BETWEEN}{phases}{_END}"
