"""Tests in the text of a report file: found line by line, read once somebody asks for them.

Most of a report is about its tests, and most who read a report want to know little of them. So
each line is checked as it is, by a pattern of what is written there, and what a test did is kept as
text, which is also how it is written again. That takes a fifth of the time of reading all of it.
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
"""A test as `line` and `smartcollect.profiles.document` write it, and nothing else."""
_OPEN, _LAST = "[\n", "\n]"
_FIRST = f'\n"tests": {_OPEN}'
NOT_HERE = "NaN"
"""Stands for the tests in the text that `take` leaves: no report file has this word."""


class Phases(Mapping[str, Phase]):
    """What the phases of a test did, read once somebody asks.

    Args:
        text: JSON, which `_PHASES` fits.
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
    """A report file without its tests.

    Attributes:
        rest: the text, with `NOT_HERE` for the tests.
        tests: what they did.
    """

    rest: str
    tests: Tests


def take(text: str) -> Taken | None:
    """Take the tests out of a report file; ``None`` where they are written in another way.

    Args:
        text: all of the file.
    """
    # No text of JSON has a newline in it: this can be nothing but a key.
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
        # What a text of JSON says, most often as it is.
        name = str(json.loads(test)) if "\\" in test else test[1:-1]
        tests[name] = Phases(phases)
        at = found.end()
    return Taken(f"{text[: start - len(_OPEN)]}{NOT_HERE}{text[at:]}", MappingProxyType(tests))


def line(test: str, phases: str) -> str:
    """Return the line of a test.

    Args:
        test: its name, as JSON.
        phases: what they did, as JSON.
    """
    return f"{_BEGIN}{test}{_BETWEEN}{phases}{_END}"
