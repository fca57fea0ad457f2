"""Reading of reports, and the types of arguments and options."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .program import Refused

if TYPE_CHECKING:
    from ..profiles.profile import Profile

    _Type = click.ParamType[Any]
else:
    _Type = click.ParamType

REPORT = click.Path(exists=True, dir_okay=False, path_type=Path)
"""The type of an argument for a report file."""
REPORTS = click.Path(exists=True, path_type=Path)
"""The type of an argument for a report file or a folder of report files."""


class Value(_Type):
    """The type of an option whose value a function of the library parses.

    The module of the function is imported only to parse a value, so ``--help`` stays fast.

    Args:
        name: the name of the type in the help.
        module: the module of the function, inside the package ``smartcollect``.
        function: the name of the function. It takes the text of the value, and its ``ValueError``
            says what to write instead.
    """

    def __init__(self, name: str, module: str, function: str) -> None:
        self.name = name
        self._module, self._function = module, function

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):  # the default
            return value
        read = getattr(import_module(f"smartcollect.{self._module}"), self._function)
        try:
            return read(value)
        except ValueError as error:
            self.fail(f"{value!r} is not accepted; {error}", param, ctx)


class Earlier(click.Path):
    """The type of an option for a report file, a folder of them, or the URL of a history."""

    def __init__(self) -> None:
        super().__init__(exists=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        is_url = isinstance(value, str) and "://" in value
        return value if is_url else super().convert(value, param, ctx)


SORT = Value("field", "options", "sort")
COUNT = Value("n", "options", "count")
PATTERN = Value("handler", "options", "pattern")
PAIR = Value("parent>child", "options", "pair")
BUDGET = Value("budget", "profiles.budgets", "parse_budget")
RULE = Value("[field:]percent%", "profiles.rules", "parse_rule")
DURATION = Value("duration", "units", "seconds")


def profile_in(file: Path) -> Profile:
    """Return the profile in a report file.

    Raises:
        Refused: the file cannot be read or is not a report.
    """
    from ..profiles.files import read_report

    try:
        return read_report(file)
    except ValueError as error:
        raise Refused(f"{file}: {error}") from None


def runs_in(paths: Iterable[Path]) -> list[Profile]:
    """Return the profiles in report files, and in the report files of folders.

    Raises:
        Refused: a file cannot be read or is not a report.
    """
    from ..profiles.files import load_runs

    found = []
    for path in paths:
        try:
            found += load_runs(path)
        except ValueError as error:
            raise Refused(f"{path}: {error}") from None
    return found


def shown(place: Path | str) -> str:
    """Return a value of the type `Earlier` for messages: secrets in a URL are hidden."""
    from ..values.redaction import without_secrets

    return without_secrets(str(place))


def earlier_runs(places: Iterable[Path | str], profile: Profile) -> list[Profile]:
    """Return the earlier runs to compare a run with.

    Args:
        places: files, folders and URLs of histories, of the type `Earlier`. From a history come
            only runs on the same machine.
        profile: the profile of the run.

    Raises:
        Refused: a file or database cannot be read.
    """
    found = []
    for place in places:
        if isinstance(place, Path):
            found += runs_in([place])
            continue
        with database_errors(place):
            from ..database.kept_runs import KeptRuns

            found += KeptRuns(place).last({} if profile.run is None else profile.run.machine)
    return found


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn errors of a database into `Refused` until the end of the block.

    Args:
        url: the URL of the database, for the message.
    """
    try:
        from ..database.kept_runs import FAILURES, reason
    except ModuleNotFoundError as error:
        raise Refused(f"{shown(url)}: {error}") from None
    try:
        yield
    except FAILURES as error:
        raise Refused(f"{shown(url)}: {reason(error)}") from None


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Return report files, with the report files of a folder in place of the folder.

    Raises:
        Refused: a folder has no report files.
    """
    from ..profiles.files import reports_in

    files = []
    for path in paths:
        found = reports_in(path) if path.is_dir() else [path]
        if not found:
            raise Refused(f"{path}: there is no .json file in this folder")
        files += found
    return files


@contextmanager
def no_collection() -> Iterator[None]:
    """Turn the garbage collector off until the end of the block.

    Reading many reports makes many objects and no garbage, so collections only take time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
