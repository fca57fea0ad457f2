"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

# Bound here: tests replace what others look up while they run.
from zlib import DEF_MEM_LEVEL, DEFLATED, MAX_WBITS, Z_FILTERED, compressobj

_AT_A_TIME = 1 << 18
"""Characters."""
_GZIP = 16 + MAX_WBITS


def write(path: str | os.PathLike[str], text: str | Iterable[str]) -> None:
    """Write a file whole, in UTF-8: a failure or a crash leaves the file that was there.

    It is compressed where its name ends in ``.gz``. A process that is killed meanwhile leaves a
    file whose name is `temporary_name`.

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
        compressed = os.fspath(path).lower().endswith(".gz")
        pieces = [text] if isinstance(text, str) else text
        _write_new(temporary, pieces, compressed, _mode(target))
        os.replace(temporary, target)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def temporary_name(name: str) -> str:
    """Return a new name for the file that will replace the file ``name`` beside it."""
    return f".{name}.{uuid4().hex[:8]}"


def _write_new(path: Path, pieces: Iterable[str], compressed: bool, mode: int | None) -> None:
    """Write a file that is not there yet, and let the disk have it."""

    def opener(name: str, flags: int) -> int:
        # Who may not read the file that is there may not read this one for a moment either. For a
        # new file the system applies the umask, which cannot be read without setting it for all
        # threads.
        return os.open(name, flags, 0o666 if mode is None else mode)

    with open(path, "xb", opener=opener) as file:
        if mode is not None:
            os.chmod(path, mode)
        texts = _together(pieces)
        for some in _compressed(texts) if compressed else texts:
            file.write(some)
        file.flush()
        os.fsync(file.fileno())


def _together(pieces: Iterable[str]) -> Iterator[bytes]:
    """Yield the text in larger pieces: there may be a million small ones."""
    some, length = [], 0
    for piece in pieces:
        some.append(piece)
        length += len(piece)
        if length >= _AT_A_TIME:
            yield "".join(some).encode()
            some, length = [], 0
    yield "".join(some).encode()


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same as a file of gzip, which has neither a name nor a time in it."""
    # Measured on traces: a seventh smaller than by default, in twice the time.
    gzip = compressobj(8, DEFLATED, _GZIP, DEF_MEM_LEVEL, Z_FILTERED)
    for some in pieces:
        yield gzip.compress(some)
    yield gzip.flush()


def _mode(target: Path) -> int | None:
    """The permissions of the file that is there, if one is."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        return None
