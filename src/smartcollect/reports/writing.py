"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4


def write(path: str | os.PathLike[str], text: str | Iterable[str]) -> None:
    """Writes a file whole, in UTF-8: a failure or a crash leaves the file that was there.

    A process that is killed meanwhile leaves a file whose name is `temporary_name`.

    Args:
        path: the file.
        text: what it is to hold, as a whole or in pieces.

    Raises:
        OSError: it cannot be written; the error names ``path``.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(temporary_name(target.name))
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        _write_new(temporary, [text] if isinstance(text, str) else text, _mode(target))
        os.replace(temporary, target)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def temporary_name(name: str) -> str:
    """Return a new name for the file that will replace the file ``name`` beside it."""
    return f".{name}.{uuid4().hex[:8]}"


def _write_new(path: Path, pieces: Iterable[str], mode: int | None) -> None:
    """Write a file that is not there yet, and let the disk have it."""

    def opener(name: str, flags: int) -> int:
        # Who may not read the file that is there may not read this one for a moment either. For a
        # new file the system applies the umask, which cannot be read without setting it for all
        # threads.
        return os.open(name, flags, 0o666 if mode is None else mode)

    with open(path, "x", encoding="utf-8", newline="", opener=opener) as file:
        if mode is not None:
            os.chmod(path, mode)
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


def _mode(target: Path) -> int | None:
    """The permissions of the file that is there, if one is."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        return None
