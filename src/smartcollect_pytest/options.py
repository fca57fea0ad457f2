"""The options: one definition of each, for the command line, the ini file and the settings."""

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
    """Return a function of the library, imported once it is called: an unused plugin is light."""

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
        raise ValueError("accepted: a file name")
    return Path(os.path.expanduser(os.path.expandvars(text)))


class Url(NamedTuple):
    """The URL of a database that keeps runs. Workers of xdist need nothing of what it needs.

    Attributes:
        text: as it was given.
        below: what the path of a SQLite file starts from.
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
        raise ValueError(f"accepted: a file name that ends in {suffixes}")
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
        raise ValueError(f"accepted: {OBJECTS_ACCEPTED}")
    return text.strip()


def _watched(text: str) -> str:
    from smartcollect.sources.patterns import patterns_of

    patterns_of(text)
    return text.strip()


class Option(NamedTuple):
    """One option.

    Attributes:
        parse: text to value; its ``ValueError`` tells what is accepted.
        help: what the option does.
        metavar: what the value is called in the help; ``""`` where it is only on or off.
        default: the value that holds when nothing is given.
        many: whether it may be given again; one a line in the ini file.
        profiles: whether to give it on the command line asks for a profile.
        name: of the field of `Options`, and of the ini key after ``smartcollect_``.
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
        """As it is written on the command line."""
        return f"--smartcollect-{self.name.replace('_', '-')}"

    @property
    def key(self) -> str:
        """As it is written in the ini file."""
        return f"smartcollect_{self.name}"

    @property
    def shown_default(self) -> str:
        """The default as text; ``""`` where there is none."""
        return str(self.default) if self.metavar and self.default not in (None, ()) else ""


def _option(
    parse: Callable[[str], Any],
    help: str,
    metavar: str = "",
    default: Any = None,
    many: bool = False,
    profiles: bool = False,
) -> Any:
    """Define an option: the field of `Options`, the command line, the ini key and the help."""
    if not metavar:
        default = False
    made = Option(parse, help, metavar, () if many else default, many, profiles)
    return field(default=made.default, metadata={"option": made})


@dataclass(frozen=True)
class Options:
    """The options, as the command line and the ini file give them.

    Attributes:
        active: whether markers and test budgets hold: not with ``--no-smartcollect``.
        profile: whether the run is profiled and the summary printed.
    """

    active: bool
    profile: bool
    sort: str = _option(
        _sort,
        "sort the summary by FIELD, the largest first: the heading of a column such as total or "
        "calls, or any statistic",
        "FIELD",
        "total_time",
    )
    rows: int = _option(_count, "show N handlers in the summary, 0 for all", "N", 20)
    slowest: int = _option(_count, "show the N slowest calls in the summary, 0 for none", "N", 5)
    report: tuple[Path, ...] = _option(
        _report,
        "write the profile to FILE: .json has all of it, .md is the summary as Markdown, .html is "
        "a page for browsers and needs smartcollect[html]",
        "FILE",
        many=True,
        profiles=True,
    )
    trace: tuple[Path, ...] = _option(
        _trace,
        "write what ran when to FILE: .json or .json.gz for Perfetto and chrome://tracing, "
        ".speedscope.json for speedscope",
        "FILE",
        many=True,
        profiles=True,
    )
    trace_limit: int = _option(
        _count,
        "show at most the first N calls in the files of --smartcollect-trace, 0 for all",
        "N",
        1_000_000,
    )
    history: Url | None = _option(  # noqa: RUF009 - as all others
        _url,
        "add the profile of a run of the whole suite to the database at URL, with its commit and "
        "branch: sqlite:///runs.db, or postgresql://user:password@host/database",
        "URL",
        profiles=True,
    )
    compare: tuple[Path | Url, ...] = _option(
        _earlier,
        "compare with PATH: the .json report of an earlier run, a folder of such reports, or the "
        "URL of a history: the last 10 runs of this machine, or as many as "
        "sqlite:///runs.db?runs=5&branch=main says; three runs and more tell how far runs of the "
        "same code lie apart",
        "PATH",
        many=True,
        profiles=True,
    )
    compare_fail: tuple[Rule, ...] = _option(
        _rule,
        "fail the run if a handler became slower by more than PERCENT: 25%%; or if its FIELD grew "
        "by more: calls:10%%; drift:25%%: if everything together became slower",
        "[FIELD:]PERCENT%",
        many=True,
    )
    compare_min: float | None = _option(
        _seconds,
        "a time that grew by less than DURATION does not fail the run; 0.1ms unless given",
        "DURATION",
    )
    budgets: tuple[Budget, ...] = _option(
        _budget,
        "fail the run where a handler is over BUDGET in all tests together: "
        "users.* max_time<=100ms calls<=3",
        "BUDGET",
        many=True,
        profiles=True,
    )
    test_budgets: tuple[Budget, ...] = _option(
        _budget,
        "fail each test in which a handler is over BUDGET, such as users.* calls<=3; with and "
        "without --smartcollect",
        "BUDGET",
        many=True,
    )
    fail_uncalled: bool = _option(
        bool,
        "fail the run where no test called a registered handler; not judged where only a part of "
        "the suite ran",
        profiles=True,
    )
    allow_uncalled: tuple[str, ...] = _option(
        _pattern,
        "HANDLER, a name or a pattern such as users.*, may stay uncalled with "
        "--smartcollect-fail-uncalled",
        "HANDLER",
        many=True,
    )
    repeat_threshold: int = _option(
        _count,
        "fail the run where one call of a handler calls another N times or more: an N+1; "
        "0 for never",
        "N",
        0,
        profiles=True,
    )
    allow_repeats: tuple[tuple[str, str], ...] = _option(
        _pair,
        "PARENT may call CHILD as often as it likes, whatever --smartcollect-repeat-threshold "
        "says; CHILD alone: any handler may",
        "PARENT>CHILD",
        many=True,
    )
    watch: tuple[str, ...] = _option(
        _watched,
        "watch the functions that PATTERN fits, as if they were handlers: a module such as "
        "shop.database, with or without names in it such as shop.*:Order.*; !PATTERN leaves out; "
        "@sqlalchemy, @django, @httpx, @requests and @redis are what these talk through",
        "PATTERN",
        many=True,
        profiles=True,
    )
    objects: str = _option(
        _objects,
        "show arguments and results that are neither scalars nor builtin containers by HOW: type "
        "(<Order>), so that recording runs no code of the application, or repr",
        "HOW",
        "type",
    )
    junit: bool = _option(
        bool,
        "add to each test of --junit-xml, as properties, what it spent in which handler",
        profiles=True,
    )

    def part(self, kind: type[Part]) -> Part:
        """Return those of the options that a settings type of the library has, as one of it."""
        given = {one.name: getattr(self, one.name, None) for one in fields(kind)}  # type: ignore[arg-type]
        return kind(**{name: value for name, value in given.items() if value is not None})


OPTIONS = tuple(
    one.metadata["option"]._replace(name=one.name) for one in fields(Options) if one.metadata
)
BY_NAME = {option.name: option for option in OPTIONS}
SWITCH_HELP = (
    "profile the functions that are registered with smartswitch, the handlers: print how often the "
    "tests called each, how long it took, and which they never called"
)


def add(parser: pytest.Parser) -> None:
    """Adds the options to pytest's command line and ini file."""
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
        notes = [f"default: {option.shown_default}"] if option.shown_default else []
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


def read(config: pytest.Config) -> Options:
    """Return the options: the command line beats the ini file, which beats the defaults.

    Raises:
        pytest.UsageError: a value is not accepted; the error tells where it came from.
    """
    off = config.getoption("no_smartcollect")
    values = {option.name: _value(config, option) for option in OPTIONS}
    wanted = config.getoption("smartcollect") or _on(config, "smartcollect")
    asked = any(option.profiles and config.getoption(option.key) for option in OPTIONS)
    if config.getoption("smartcollect_compare_fail") and not values["compare"]:
        raise pytest.UsageError(
            "--smartcollect-compare-fail (command line): there is no baseline to compare with; "
            "accepted: together with --smartcollect-compare=PATH"
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
    # pytest 7 answers an ini key that was not given with "" instead of the default.
    if given:
        lines = given if option.many else [given]
        for number, text in enumerate(lines, 1):
            line = f", line {number}" if option.many else ""
            yield _Given(f"{option.key} (ini file{line})", text, config.rootpath)


def _on(config: pytest.Config, key: str) -> bool:
    return bool(_ini(config, key))


def _ini(config: pytest.Config, key: str) -> Any:
    try:
        return config.getini(key)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{key} (ini file): {error}") from None


def refuse(
    config: pytest.Config, given: Options, name: str, value: object, why: str
) -> pytest.UsageError:
    """Return the error for a file or a database that the option ``name`` cannot use.

    Args:
        config: of the run.
        given: the options.
        name: of the option.
        value: what cannot be used, one of the values that were given.
        why: what is wrong with it.
    """
    values = getattr(given, name)
    index = values.index(value) if BY_NAME[name].many else 0
    source = list(_given(config, BY_NAME[name]))[index].source
    return pytest.UsageError(f"{source}: {str(value)!r} is not accepted; {why}")
