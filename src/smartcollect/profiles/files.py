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


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")
