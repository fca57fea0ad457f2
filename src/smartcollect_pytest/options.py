"""The options: one table, from which come the command line, the ini keys and the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

SORT_FIELDS = ("total", "self", "avg", "p95", "max", "calls", "errors", "tests", "handler")


def _sort(text: str) -> str:
    field = text.strip().removesuffix("_time")
    if field not in SORT_FIELDS:
        raise ValueError(f"accepted: {', '.join(SORT_FIELDS)}")
    return field


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError("accepted: a whole number, zero or more")
    return number


class Option(NamedTuple):
    """One option.

    Attributes:
        name: of the field of `Settings`, and of the ini key after ``smartcollect_``.
        metavar: what the value is called in the help.
        parse: text to value; its ``ValueError`` tells what is accepted.
        default: the text that holds when nothing is given.
        help: what the option does.
    """

    name: str
    metavar: str
    parse: Callable[[str], Any]
    default: str
    help: str

    @property
    def flag(self) -> str:
        """As it is written on the command line."""
        return f"--smartcollect-{self.name.replace('_', '-')}"

    @property
    def key(self) -> str:
        """As it is written in the ini file."""
        return f"smartcollect_{self.name}"


OPTIONS = (
    Option(
        "sort",
        "FIELD",
        _sort,
        "total",
        f"sort the summary by FIELD, the largest first: {', '.join(SORT_FIELDS)}",
    ),
    Option("rows", "N", _count, "20", "show N handlers in the summary, 0 for all"),
    Option("slowest", "N", _count, "5", "show the N slowest calls in the summary, 0 for none"),
)
SWITCH_HELP = "profile the handlers of smartswitch and print where their time went"


@dataclass(frozen=True)
class Settings:
    """What the options come to.

    Attributes:
        profile: whether the run is profiled and the summary printed.
        sort, rows, slowest: how the summary is shown.
    """

    profile: bool
    sort: str
    rows: int
    slowest: int


def add(parser: pytest.Parser) -> None:
    """Adds the options to pytest's command line and ini file."""
    group = parser.getgroup("smartcollect", "profile of smartswitch handlers")
    group.addoption(
        "--smartcollect",
        dest="smartcollect",
        action="store_true",
        default=None,
        help=f"{SWITCH_HELP} (ini: smartcollect)",
    )
    group.addoption(
        "--no-smartcollect",
        dest="no_smartcollect",
        action="store_true",
        default=False,
        help="do not, whatever else is given; the collect fixture goes on working",
    )
    parser.addini("smartcollect", SWITCH_HELP, type="bool", default=False)
    for option in OPTIONS:
        # No default here: it would hide whether the command line or the ini file said something.
        group.addoption(
            option.flag,
            dest=option.key,
            metavar=option.metavar,
            default=None,
            help=f"{option.help} (default: {option.default}, ini: {option.key})",
        )
        parser.addini(option.key, option.help, default=None)


def read(config: pytest.Config) -> Settings:
    """The settings: the command line beats the ini file, which beats the defaults.

    Raises:
        pytest.UsageError: a value is not accepted; the error tells where it came from.
    """
    values = {option.name: _value(config, option) for option in OPTIONS}
    try:
        wanted = config.getoption("smartcollect") or config.getini("smartcollect")
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"smartcollect (ini file): {error}") from None
    return Settings(profile=bool(wanted) and not config.getoption("no_smartcollect"), **values)


def _value(config: pytest.Config, option: Option) -> Any:
    source, text = f"{option.flag} (command line)", config.getoption(option.key)
    if text is None:
        source, text = f"{option.key} (ini file)", config.getini(option.key)
    # pytest 7 answers an ini key that was not given with "" instead of the default.
    if text is None or text == "":
        source, text = option.flag, option.default
    try:
        return option.parse(str(text))
    except ValueError as error:
        raise pytest.UsageError(f"{source}: {text!r} is not accepted; {error}") from None
