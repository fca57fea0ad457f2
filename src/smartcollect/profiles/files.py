"""Report files."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from .document import Tests
from .lines import take
from .profile import Profile


def load(path: str | os.PathLike[str]) -> Profile:
    """Return the profile in a report file.

    Raises:
        ValueError: the file cannot be read, or holds something else; one line tells which.
    """
    try:
        document, tests = _read(Path(path).read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    except RecursionError:
        raise ValueError("it is no JSON: nested too deep") from None
    except ValueError as error:
        raise ValueError(f"it is no JSON, or cut off: {error}") from None
    profile = Profile.from_dict(document)
    return profile if tests is None else replace(profile, tests=tests)


def _read(text: str) -> tuple[Any, Tests | None]:
    """Return the document in a report file, and its tests where they need not be in that."""
    taken = take(text)
    if taken is not None:
        # If that is not the whole truth, all of the file is: errors tell where in the file.
        with suppress(ValueError):
            marks = [mark := object()]
            document = json.loads(
                taken.rest, parse_constant=lambda word: marks.pop() if marks else _refuse(word)
            )
            # Elsewhere they are not those of the report, nor where the key comes once more.
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
        At least one profile of a file; none where the folder is empty.

    Raises:
        ValueError: a file cannot be read, or holds something else; one line tells which.
    """
    if not path.is_dir():
        return [load(path)]
    found = []
    for file in reports_in(path):
        try:
            found.append(load(file))
        except ValueError as error:
            raise ValueError(f"{file.name}: {error}") from None
    return sorted(found, key=lambda one: 0.0 if one.run is None else one.run.created)


def reports_in(folder: Path) -> list[Path]:
    """Return the report files of a folder: all whose names end in ``.json``."""
    return sorted(folder.glob("*.json"))


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")
