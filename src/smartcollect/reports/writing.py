"""Atomic writing of files: a file is replaced as a whole, or stays as it was."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

# Imported by name: tests under observation may patch the module.
from zlib import DEF_MEM_LEVEL, DEFLATED, MAX_WBITS, Z_FILTERED, compressobj

_AT_A_TIME = 1 << 18
"""Characters per write."""
_GZIP = 16 + MAX_WBITS


def write(path: str | os.PathLike[str], text: str | Iterable[str]) -> None:
    """Write text to a file in UTF-8. After a failure or a crash, an existing file is unchanged.

    The file is compressed with gzip if its name ends in ``.gz``. A process that is killed while
    writing leaves a temporary file behind, named by `temporary_name`.

    Args:
        path: the file.
        text: the whole text, or its pieces.

    Raises:
        OSError: the file cannot be written; the error names ``path``.
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
    """Return a unique name for a temporary file, which will replace the file ``name``."""
    return f".{name}.{uuid4().hex[:8]}"


def _write_new(path: Path, pieces: Iterable[str], compressed: bool, mode: int | None) -> None:
    """Write a new file and flush it to the disk."""

    def opener(name: str, flags: int) -> int:
        # The permissions must be right from the start: the file it replaces may be private. For a
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
    """Yield the text encoded, in large pieces; there may be a million small ones."""
    some, length = [], 0
    for piece in pieces:
        some.append(piece)
        length += len(piece)
        if length >= _AT_A_TIME:
            yield "".join(some).encode()
            some, length = [], 0
    yield "".join(some).encode()


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data compressed, as a gzip file without a name or a time in its header."""
    # Level 8 and Z_FILTERED make traces a seventh smaller than the defaults, in twice the time.
    gzip = compressobj(8, DEFLATED, _GZIP, DEF_MEM_LEVEL, Z_FILTERED)
    for some in pieces:
        yield gzip.compress(some)
    yield gzip.flush()


def _mode(target: Path) -> int | None:
    """Return the permissions of the existing file; ``None`` if there is none."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        return None
