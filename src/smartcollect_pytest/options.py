"""The options, each defined once for the command line, the ini file and the settings."""

from __future__ import annotations

import os
from argparse import BooleanOptionalAction
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import pytest

if TYPE_CHECKING:
    from smartcollect.profiles.budgets import Budget
    from smartcollect.profiles.rules import Rule

Part = TypeVar("Part")
REPORTS = (".json", ".md", ".html")


def _library(module: str, function: str) -> Callable[[str], Any]:
    """Return a function of the library that is imported when called, to keep pytest fast."""

    def parse(text: str) -> Any:
        return getattr(import_module(f"smartcollect.{module}"), function)(text)

    return parse


_sort = _library("options", "sort")
_count = _library("options", "count")
_pattern = _library("options", "pattern")
_pair = _library("options", "pair")
_budget = _library("profiles.budgets", "parse_budget")
_rule = _library("profiles.rules", "parse_rule")
_seconds = _library("units", "seconds")


def _path(text: str) -> Path:
    if not text.strip():
        raise ValueError("give a file name")
    return Path(os.path.expanduser(os.path.expandvars(text)))


class Url(NamedTuple):
    """The URL of a database of runs. It is not parsed here, because xdist workers do not use it.

    Attributes:
        text: the URL as given.
        below: the folder that a relative path of a SQLite file starts from.
    """

    text: str
    below: Path = Path()

    def __str__(self) -> str:
        from smartcollect.values.redaction import without_secrets

        return without_secrets(self.text)


def _url(text: str) -> Url:
    if "://" not in text:
        raise ValueError("give the URL of a database, such as sqlite:///runs.db")
    return Url(text.strip())


def _earlier(text: str) -> Path | Url:
    return _url(text) if "://" in text else _path(text)


def _report(text: str) -> Path:
    path = _path(text)
    if path.suffix.lower() not in REPORTS:
        suffixes = f"{', '.join(REPORTS[:-1])} or {REPORTS[-1]}"
        raise ValueError(f"give a file name that ends in {suffixes}")
    return path


def _trace(text: str) -> Path:
    from smartcollect.reports.traces.files import SUFFIXES, is_trace

    path = _path(text)
    if not is_trace(path):
        raise ValueError(f"give a file name that ends in {', '.join(SUFFIXES)}")
    return path


def _objects(text: str) -> str:
    from smartcollect.recording.settings import OBJECTS, OBJECTS_ACCEPTED

    if text.strip() not in OBJECTS:
        raise ValueError(f"use {OBJECTS_ACCEPTED}")
    return text.strip()


def _watched(text: str) -> str:
    from smartcollect.sources.patterns import patterns_of

    patterns_of(text)
    return text.strip()


class Option(NamedTuple):
    """One option.

    Attributes:
        parse: function from text to value. Its ``ValueError`` says what to give instead.
        help: the help text, for argparse: a percent sign is written ``%%``.
        metavar: placeholder of the value in the help; ``""`` for an option that is on or off.
        default: the value if the option is not given.
        many: whether the option can be repeated, with one value per line in the ini file.
        profiles: whether the option, on the command line, turns on the profile.
        name: the field of `Options`, and the ini key after ``smartcollect_``.
    """

    parse: Callable[[str], Any]
    help: str
    metavar: str
    default: Any
    many: bool
    profiles: bool
    name: str = ""

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return f"--smartcollect-{self.name.replace('_', '-')}"

    @property
    def key(self) -> str:
        """The name in the ini file."""
        return f"smartcollect_{self.name}"

    @property
    def shown_default(self) -> str:
        """The default as text, or ``""`` without a default."""
        return str(self.default) if self.metavar and self.default not in (None, ()) else ""


def _option(
    parse: Callable[[str], Any],
    help: str,
    metavar: str = "",
    default: Any = None,
    many: bool = False,
    profiles: bool = False,
) -> Any:
    """Define an option as a field of `Options`."""
    if not metavar:
        default = False
    made = Option(parse, help, metavar, () if many else default, many, profiles)
    return field(default=made.default, metadata={"option": made})


@dataclass(frozen=True)
class Options:
    """The options from the command line and the ini file.

    Attributes:
        active: whether markers and test budgets apply; False with ``--no-smartcollect``.
        profile: whether to profile the run and print the summary.
    """

    active: bool
    profile: bool
    sort: str = _option(
        _sort,
        "Sort the handlers in the summary by FIELD, largest first. FIELD is a column, such as "
        "total or calls, or a statistic, such as min_time",
        "FIELD",
        "total_time",
    )
    rows: int = _option(_count, "Show at most N handlers in the summary, 0 for all", "N", 20)
    slowest: int = _option(_count, "Show the N slowest calls in the summary, 0 for none", "N", 5)
    report: tuple[Path, ...] = _option(
        _report,
        "Write a report to FILE. The suffix selects the format: .json for the full profile, .md "
        "for the summary as Markdown, .html for a web page, which needs smartcollect[html]",
        "FILE",
        many=True,
        profiles=True,
    )
    trace: tuple[Path, ...] = _option(
        _trace,
        "Write a timeline of the tests and their calls to FILE. The suffix selects the format: "
        ".json or .json.gz for Perfetto and chrome://tracing, .speedscope.json for speedscope",
        "FILE",
        many=True,
        profiles=True,
    )
    trace_limit: int = _option(
        _count,
        "Write at most the first N calls to each file of --smartcollect-trace, 0 for all",
        "N",
        1_000_000,
    )
    history: Url | None = _option(  # noqa: RUF009 - as all others
        _url,
        "Add the profile of each run of the whole suite, with its commit and branch, to the "
        "database at URL, such as sqlite:///runs.db or postgresql://user:password@host/database",
        "URL",
        profiles=True,
    )
    compare: tuple[Path | Url, ...] = _option(
        _earlier,
        "Compare with a report of an earlier run and print what changed. PATH is a .json report, a "
        "folder of such reports, or the URL of a history, such as sqlite:///runs.db for the last "
        "10 runs on this machine or sqlite:///runs.db?runs=5&branch=main. With three runs or more, "
        "the usual variation of times is taken into account",
        "PATH",
        many=True,
        profiles=True,
    )
    compare_fail: tuple[Rule, ...] = _option(
        _rule,
        "Fail the run if a handler became slower by more than PERCENT, such as 25%%, or if its "
        "FIELD grew by more, such as calls:10%%. drift:25%% fails it if all handlers together "
        "became slower",
        "[FIELD:]PERCENT%",
        many=True,
    )
    compare_min: float | None = _option(
        _seconds,
        "Do not fail the run for a time that grew by less than DURATION, such as 1ms; without "
        "this option, 0.1ms",
        "DURATION",
    )
    budgets: tuple[Budget, ...] = _option(
        _budget,
        "Fail the run if a handler is over BUDGET in all tests together. BUDGET is a handler or a "
        "pattern, then limits, such as users.* max_time<=100ms calls<=3",
        "BUDGET",
        many=True,
        profiles=True,
    )
    test_budgets: tuple[Budget, ...] = _option(
        _budget,
        "Fail each test in which a handler is over BUDGET, such as users.* calls<=3. Works with "
        "and without --smartcollect",
        "BUDGET",
        many=True,
    )
    fail_uncalled: bool = _option(
        bool,
        "Fail the run if a registered handler is never called. Not checked if only part of the "
        "suite ran",
        profiles=True,
    )
    allow_uncalled: tuple[str, ...] = _option(
        _pattern,
        "Let HANDLER, a name or a pattern such as users.*, stay uncalled with "
        "--smartcollect-fail-uncalled",
        "HANDLER",
        many=True,
    )
    repeat_threshold: int = _option(
        _count,
        "Fail the run if one call to a handler calls another handler N times or more (an N+1 "
        "problem), 0 for never",
        "N",
        0,
        profiles=True,
    )
    allow_repeats: tuple[tuple[str, str], ...] = _option(
        _pair,
        "Let PARENT call CHILD any number of times with --smartcollect-repeat-threshold, such as "
        "orders.list>orders.get. CHILD alone lets every handler call it",
        "PARENT>CHILD",
        many=True,
    )
    watch: tuple[str, ...] = _option(
        _watched,
        "Watch the functions that PATTERN matches, as if they were handlers. PATTERN is a module, "
        "such as shop.database, or names in modules, such as shop.*:Order.*. !PATTERN excludes "
        "functions. @sqlalchemy, @django, @httpx, @requests and @redis match the functions of "
        "these packages that send SQL, HTTP requests or commands",
        "PATTERN",
        many=True,
        profiles=True,
    )
    objects: str = _option(
        _objects,
        "Show objects in arguments and results as HOW: type, such as <Order>, which runs no code "
        "of the application, or repr. Scalars and builtin containers are shown as they are",
        "HOW",
        "type",
    )
    junit: bool = _option(
        bool,
        "Add the calls, errors and total time of each handler to each test in the --junit-xml "
        "file, as properties",
        profiles=True,
    )

    def part(self, kind: type[Part]) -> Part:
        """Return an instance of ``kind``, filled with the options of the same names."""
        given = {one.name: getattr(self, one.name, None) for one in fields(kind)}  # type: ignore[arg-type]
        return kind(**{name: value for name, value in given.items() if value is not None})


OPTIONS = tuple(
    one.metadata["option"]._replace(name=one.name) for one in fields(Options) if one.metadata
)
BY_NAME = {option.name: option for option in OPTIONS}
SWITCH_HELP = (
    "Profile the functions registered with smartswitch (handlers) and print a summary: how often "
    "tests called each, how long the calls took, and which handlers were never called"
)


def add(parser: pytest.Parser) -> None:
    """Add the options to pytest's command line and ini file."""
    group = parser.getgroup("smartcollect", "profile of handlers and functions")
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
        help="Turn off the profile, budgets and markers, even if other options turn them on. The "
        "collect fixture keeps working",
    )
    parser.addini("smartcollect", SWITCH_HELP, type="bool", default=False)
    for option in OPTIONS:
        # A default here would hide whether the option was given.
        shape: dict[str, Any] = {"action": "append" if option.many else "store"}
        shape["metavar"] = option.metavar
        if not option.metavar:
            shape = {"action": BooleanOptionalAction}
        notes = [f"default: {option.shown_default}"] if option.shown_default else []
        notes += ["can be repeated"] if option.many else []
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
    return option.help.replace("%%", "%") + (" (one per line)" if option.many else "")


class _Given(NamedTuple):
    """A value of an option as text, and its source, which begins error messages."""

    source: str
    text: str
    below: Path  # the folder that a relative path starts from


def read(config: pytest.Config) -> Options:
    """Return the options. The command line beats the ini file, which beats the defaults.

    Raises:
        pytest.UsageError: A value is wrong. The error says where it was given.
    """
    off = config.getoption("no_smartcollect")
    values = {option.name: _value(config, option) for option in OPTIONS}
    wanted = config.getoption("smartcollect") or _on(config, "smartcollect")
    asked = any(option.profiles and config.getoption(option.key) for option in OPTIONS)
    if config.getoption("smartcollect_compare_fail") and not values["compare"]:
        raise pytest.UsageError(
            "--smartcollect-compare-fail (command line): there is no baseline to compare with; "
            "give --smartcollect-compare=PATH"
        )
    if values["watch"]:
        from smartcollect.sources.patterns import parse_all

        try:
            parse_all(values["watch"])
        except ValueError as error:
            source = next(_given(config, BY_NAME["watch"])).source
            raise pytest.UsageError(f"{source}: {error}") from None
    return Options(active=not off, profile=bool(wanted or asked) and not off, **values)


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
        if isinstance(value, Path):
            value = below / value
        elif isinstance(value, Url):
            value = value._replace(below=below)
        values.append(value)
    if not values:
        return option.default
    return tuple(values) if option.many else values[0]


def _given(config: pytest.Config, option: Option) -> Iterator[_Given]:
    given = config.getoption(option.key)
    if given is not None:
        for text in given if option.many else [given]:
            source = f"{option.flag} (command line)"
            yield _Given(source, text, config.invocation_params.dir)
        return
    given = _ini(config, option.key)
    # pytest 7 returns "" instead of the default for a missing ini key.
    if given:
        lines = given if option.many else [given]
        for number, text in enumerate(lines, 1):
            value = f", value {number}" if option.many else ""
            yield _Given(f"{option.key} (ini file{value})", text, config.rootpath)


def _on(config: pytest.Config, key: str) -> bool:
    return bool(_ini(config, key, "; use true or false"))


def _ini(config: pytest.Config, key: str, hint: str = "") -> Any:
    try:
        return config.getini(key)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{key} (ini file): {error}{hint}") from None


def source(config: pytest.Config, name: str, text: str) -> str:
    """Return where a value was given, for the start of a message.

    Args:
        config: pytest's configuration.
        name: name of the option, which can be repeated.
        text: the value as given.
    """
    given = _given(config, BY_NAME[name])
    return next(one.source for one in given if BY_NAME[name].parse(one.text) == text)


def refuse(
    config: pytest.Config, given: Options, name: str, value: object, why: str
) -> pytest.UsageError:
    """Return the error for a file or database that cannot be used.

    Args:
        config: pytest's configuration.
        given: the options.
        name: name of the option that the file or database was given for.
        value: the file or database, one of the values of the option.
        why: the reason.
    """
    values = getattr(given, name)
    index = values.index(value) if BY_NAME[name].many else 0
    source = list(_given(config, BY_NAME[name]))[index].source
    return pytest.UsageError(f"{source}: {str(value)!r} is not accepted; {why}")
