"""Reading of report files."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..text import one_line
from .document import Tests
from .lines import take
from .profile import Profile

_SQLITE = b"SQLite format 3\0"


def load(path: str | os.PathLike[str]) -> Profile:
    """Return the profile in a report file, or in a file with the result of `Profile.to_dict`.

    Raises:
        ValueError: the file cannot be read or is not a report; the message is one line and names
            the file.
    """
    try:
        return read_report(path)
    except ValueError as error:
        raise ValueError(f"{one_line(os.fspath(path))}: {error}") from None


def read_report(path: str | os.PathLike[str]) -> Profile:
    """Return the profile in a report file.

    Raises:
        ValueError: as for `load`, but the message does not name the file.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    if content.startswith(_SQLITE):
        url = f"sqlite:///{Path(path).as_posix()}"
        raise ValueError(f"the file is a SQLite database; use its URL, {url}")
    try:
        document, tests = _read(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("the file is not valid JSON: nested too deep") from None
    except ValueError as error:
        raise ValueError(f"the file is not valid JSON, or is cut off: {error}") from None
    profile = Profile.from_dict(document)
    return profile if tests is None else replace(profile, tests=tests)


def _read(text: str) -> tuple[Any, Tests | None]:
    """Return the document in a report file, and its tests separately if `take` can find them.

    The tests are ``None`` if they are in the document.
    """
    taken = take(text)
    if taken is not None:
        # On an error, parse the whole text again, for positions in the file that are correct.
        with suppress(ValueError):
            marks = [mark := object()]
            document = json.loads(
                taken.rest, parse_constant=lambda word: marks.pop() if marks else _refuse(word)
            )
            # A mark in another place, or a repeated key, means that `take` found something else.
            if isinstance(document, dict) and document.get("tests") is mark:
                return {**document, "tests": []}, taken.tests
    return _parsed(text), None


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def load_runs(path: Path) -> list[Profile]:
    """Return the profiles in a report file, or in the report files of a folder, oldest first.

    Args:
        path: a file, or a folder whose ``.json`` files are reports.

    Returns:
        The one profile of a file, or the profiles of a folder: an empty list if it has no reports.

    Raises:
        ValueError: a file cannot be read or is not a report; the message is one line and names the
            file if ``path`` is a folder.
    """
    if not path.is_dir():
        return [read_report(path)]
    found = []
    for file in reports_in(path):
        try:
            found.append(read_report(file))
        except ValueError as error:
            raise ValueError(f"{file.name}: {error}") from None
    return sorted(found, key=lambda one: 0.0 if one.run is None else one.run.created)


def reports_in(folder: Path) -> list[Path]:
    """Return the report files of a folder: all files that end in ``.json``."""
    return sorted(folder.glob("*.json"))


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not a valid number")
