"""The options: one table, from which come the command line, the ini keys and the settings."""

from __future__ import annotations

import os
from argparse import BooleanOptionalAction
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from smartcollect.baseline import Rule
    from smartcollect.budgets import Budget

SORT_FIELDS = ("total", "self", "avg", "p95", "max", "calls", "errors", "tests", "handler")
REPORTS = (".json", ".md")


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


def _path(text: str) -> Path:
    if not text.strip():
        raise ValueError("accepted: a file name")
    return Path(os.path.expanduser(os.path.expandvars(text)))


def _report(text: str) -> Path:
    path = _path(text)
    if path.suffix.lower() not in REPORTS:
        raise ValueError(f"accepted: a file name that ends in {' or '.join(REPORTS)}")
    return path


# What needs the library is imported when there is something to read: an unused plugin is light.


def _budget(text: str) -> Budget:
    from smartcollect.budgets import parse

    return parse(text)


def _rule(text: str) -> Rule:
    from smartcollect.baseline import parse

    return parse(text)


def _seconds(text: str) -> float:
    from smartcollect.units import seconds

    return seconds(text)


def _pattern(text: str) -> str:
    if len(text.split()) != 1:
        raise ValueError("accepted: a handler, or a pattern such as users.*")
    return text.strip()


def _pair(text: str) -> tuple[str, str]:
    parent, arrow, child = text.rpartition(">")
    return (_pattern(parent) if arrow else "*"), _pattern(child)


class Option(NamedTuple):
    """One option.

    Attributes:
        name: of the field of `Settings`, and of the ini key after ``smartcollect_``.
        metavar: what the value is called in the help; ``""`` where it is only on or off.
        parse: text to value; its ``ValueError`` tells what is accepted.
        default: the text that holds when nothing is given; ``""`` for none.
        help: what the option does.
        many: whether it may be given again; one a line in the ini file.
        profiles: whether to give it on the command line asks for a profile.
    """

    name: str
    metavar: str
    parse: Callable[[str], Any]
    default: str
    help: str
    many: bool = False
    profiles: bool = False

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
    Option(
        "report",
        "FILE",
        _report,
        "",
        "write the profile to FILE: .json has all of it, .md is the summary as Markdown",
        many=True,
        profiles=True,
    ),
    Option(
        "compare",
        "FILE",
        _path,
        "",
        "compare with FILE, a .json report of an earlier run",
        profiles=True,
    ),
    Option(
        "compare_fail",
        "FIELD:PERCENT%",
        _rule,
        "",
        "fail the run where a handler's FIELD grew by more than PERCENT: avg_time:20%%",
        many=True,
    ),
    Option(
        "compare_min",
        "DURATION",
        _seconds,
        "",
        "a time that grew by less than DURATION does not fail the run; 1ms unless given",
    ),
    Option(
        "budgets",
        "BUDGET",
        _budget,
        "",
        "fail the run where a handler is over BUDGET in all tests together: "
        "users.* max_time<=100ms calls<=3",
        many=True,
        profiles=True,
    ),
    Option(
        "test_budgets",
        "BUDGET",
        _budget,
        "",
        "fail each test in which a handler is over BUDGET, such as users.* calls<=3; with and "
        "without --smartcollect",
        many=True,
    ),
    Option(
        "fail_uncalled",
        "",
        bool,
        "",
        "fail the run where no test called a registered handler; not judged where only a part of "
        "the suite ran",
        profiles=True,
    ),
    Option(
        "allow_uncalled",
        "HANDLER",
        _pattern,
        "",
        "HANDLER, a name or a pattern such as users.*, may stay uncalled with "
        "--smartcollect-fail-uncalled",
        many=True,
    ),
    Option(
        "repeat_threshold",
        "N",
        _count,
        "0",
        "fail the run where one call of a handler calls another N times or more: an N+1; "
        "0 for never",
        profiles=True,
    ),
    Option(
        "allow_repeats",
        "PARENT>CHILD",
        _pair,
        "",
        "PARENT may call CHILD as often as it likes, whatever --smartcollect-repeat-threshold "
        "says; CHILD alone: any handler may",
        many=True,
    ),
    Option(
        "junit",
        "",
        bool,
        "",
        "add to each test of --junit-xml, as properties, what it spent in which handler",
        profiles=True,
    ),
)
BY_NAME = {option.name: option for option in OPTIONS}
SWITCH_HELP = (
    "profile the functions that are registered with smartswitch, the handlers: print how often the "
    "tests called each, how long it took, and which they never called"
)


@dataclass(frozen=True)
class Settings:
    """What the options come to.

    Attributes:
        active: whether markers and test budgets hold: not with ``--no-smartcollect``.
        profile: whether the run is profiled and the summary printed.
        sort, rows, slowest: how the summary is shown.
        report: the files to write.
        compare, compare_fail, compare_min: the baseline, what may grow by how much, and the
            smallest growth of a time, in seconds, that counts (`None`: the library's own).
        budgets, test_budgets: those of the whole run, and those of each test.
        fail_uncalled, allow_uncalled: whether a handler that is never called fails the run, and
            patterns of those that do not.
        repeat_threshold, allow_repeats: from how many calls under one call on the run fails, 0
            for never, and patterns of parent and child that do not.
        junit: whether tests get properties in the JUnit file.
    """

    active: bool
    profile: bool
    sort: str
    rows: int
    slowest: int
    report: tuple[Path, ...]
    compare: Path | None
    compare_fail: tuple[Rule, ...]
    compare_min: float | None
    budgets: tuple[Budget, ...]
    test_budgets: tuple[Budget, ...]
    fail_uncalled: bool
    allow_uncalled: tuple[str, ...]
    repeat_threshold: int
    allow_repeats: tuple[tuple[str, str], ...]
    junit: bool


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
        help="no profile, no budgets and no markers, whatever else is given; the collect fixture "
        "goes on working",
    )
    parser.addini("smartcollect", SWITCH_HELP, type="bool", default=False)
    for option in OPTIONS:
        # No default here: it would hide whether the command line or the ini file said something.
        shape: dict[str, Any] = {"action": "append" if option.many else "store"}
        shape["metavar"] = option.metavar
        if not option.metavar:
            shape = {"action": BooleanOptionalAction}
        notes = [f"default: {option.default}"] if option.default else []
        notes += ["may be given again"] if option.many else []
        notes += [f"ini: {option.key}"]
        group.addoption(
            option.flag,
            dest=option.key,
            default=None,
            help=f"{option.help} ({', '.join(notes)})",
            **shape,
        )
        if option.many:
            parser.addini(option.key, _ini_help(option), type="linelist", default=[])
        elif option.metavar:
            parser.addini(option.key, _ini_help(option), default=None)
        else:
            parser.addini(option.key, _ini_help(option), type="bool", default=False)


def _ini_help(option: Option) -> str:
    return option.help.replace("%%", "%") + (", one a line" if option.many else "")


class _Given(NamedTuple):
    """One text that was given for an option, and where: errors begin with that."""

    source: str
    text: str
    below: Path  # what a relative path starts from


def read(config: pytest.Config) -> Settings:
    """The settings: the command line beats the ini file, which beats the defaults.

    Raises:
        pytest.UsageError: a value is not accepted; the error tells where it came from.
    """
    off = config.getoption("no_smartcollect")
    values = {option.name: _value(config, option) for option in OPTIONS}
    wanted = config.getoption("smartcollect") or _on(config, "smartcollect")
    asked = any(option.profiles and config.getoption(option.key) for option in OPTIONS)
    if config.getoption("smartcollect_compare_fail") and values["compare"] is None:
        raise pytest.UsageError(
            "--smartcollect-compare-fail (command line): there is no baseline to compare with; "
            "accepted: together with --smartcollect-compare=FILE"
        )
    return Settings(active=not off, profile=bool(wanted or asked) and not off, **values)


def _value(config: pytest.Config, option: Option) -> Any:
    if not option.metavar:
        given = config.getoption(option.key)
        return _on(config, option.key) if given is None else bool(given)
    values = []
    for source, text, below in _given(config, option):
        try:
            value = option.parse(text)
        except ValueError as error:
            raise pytest.UsageError(f"{source}: {text!r} is not accepted; {error}") from None
        values.append(below / value if isinstance(value, Path) else value)
    if option.many:
        return tuple(values)
    return values[0] if values else None


def _given(config: pytest.Config, option: Option) -> Iterator[_Given]:
    given = config.getoption(option.key)
    if given is not None:
        for text in given if option.many else [given]:
            source = f"{option.flag} (command line)"
            yield _Given(source, text, config.invocation_params.dir)
        return
    given = _ini(config, option.key)
    # pytest 7 answers an ini key that was not given with "" instead of the default.
    if given:
        lines = given if option.many else [given]
        for number, text in enumerate(lines, 1):
            line = f", line {number}" if option.many else ""
            yield _Given(f"{option.key} (ini file{line})", text, config.rootpath)
    elif option.default:
        yield _Given(option.flag, option.default, config.rootpath)


def _on(config: pytest.Config, key: str) -> bool:
    return bool(_ini(config, key))


def _ini(config: pytest.Config, key: str) -> Any:
    try:
        return config.getini(key)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{key} (ini file): {error}") from None


def refuse(config: pytest.Config, name: str, path: Path, why: str) -> pytest.UsageError:
    """The error for a file that the option ``name`` cannot use."""
    given = next(
        (one for one in _given(config, BY_NAME[name]) if one.below / _path(one.text) == path),
        None,
    )
    source = BY_NAME[name].flag if given is None else given.source
    return pytest.UsageError(f"{source}: {str(path)!r} is not accepted; {why}")
