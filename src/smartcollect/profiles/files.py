"""Report files."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .profile import Profile


def load(path: str | os.PathLike[str]) -> Profile:
    """Return the profile in a report file.

    Raises:
        ValueError: the file cannot be read, or holds something else; one line tells which.
    """
    try:
        document = json.loads(Path(path).read_bytes().decode(), parse_constant=_refuse)
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    except RecursionError:
        raise ValueError("it is no JSON: nested too deep") from None
    except ValueError as error:
        raise ValueError(f"it is no JSON, or cut off: {error}") from None
    return Profile.from_dict(document)


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
    for file in sorted(path.glob("*.json")):
        try:
            found.append(load(file))
        except ValueError as error:
            raise ValueError(f"{file.name}: {error}") from None
    return sorted(found, key=lambda one: 0.0 if one.run is None else one.run.created)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")
