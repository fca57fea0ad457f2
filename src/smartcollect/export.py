"""One writer for each format, and files that are written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .snapshot import unused

_AS_THEY_ARE = frozenset({int, bool, type(None)})
_SCALARS = _AS_THEY_ARE | {float, str}
_OPTIONS: dict[str, Any] = {"allow_nan": False, "ensure_ascii": False}


def json_text(value: Any, **options: Any) -> str:
    """Strict JSON: no NaN, no lone surrogates, each key a string."""
    return json.dumps(strict(value), **_OPTIONS, **options)


def document(plain: Mapping[str, Any]) -> str:
    """Strict JSON of an object, the items of its lists a line each."""
    members = []
    for key, value in plain.items():
        text = json_text(value)
        if isinstance(value, (list, tuple)) and value:
            text = "[\n" + ",\n".join(map(json_text, value)) + "\n]"
        members.append(f"{json_text(key)}: {text}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def strict(value: Any) -> Any:
    """Plain data that JSON can hold as it is: NaN and infinities become text, keys strings."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind in (list, tuple):
        return [strict(item) for item in value]
    if kind is dict or isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for key, item in value.items():
            # JSON's own words for these keys, as `json.dumps` writes them.
            name = (
                {None: "null", True: "true", False: "false"}[key]
                if (key is None or isinstance(key, bool))
                else strict(str.__str__(key) if isinstance(key, str) else str(key))
            )
            made[unused(name, made)] = strict(item)
        return made
    return value


# One encoder for all, because `json.dumps` makes a new one for each. Snapshots have no cycles.
_encoded = json.JSONEncoder(**_OPTIONS, check_circular=False).encode


def _line(entry: Mapping[str, Any]) -> str:
    """Strict JSON of one call."""
    # Most calls have scalars only. To see that takes a tenth of the time in which `strict` copies
    # the entry, which alone would take as long as to write it.
    values = (*entry["args"], *entry["kwargs"].values(), entry.get("result"))
    if _SCALARS.issuperset(map(type, values)):
        try:
            line = _encoded(entry)
            line.encode()
        except ValueError:  # NaN or an infinity, a lone surrogate
            pass
        else:
            return line
    return _encoded(strict(entry))


def _json(heading: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> str:
    return json_text({**heading, "history": list(entries)}, indent=2) + "\n"


def _jsonl(_: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> str:
    return "".join([f"{_line(entry)}\n" for entry in entries])


_COLUMNS = (
    "switcher",
    "handler",
    "timestamp",
    "elapsed",
    "args",
    "kwargs",
    "result",
    "exception_type",
    "exception_message",
)


def _csv(_: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for entry in entries:
        raised = entry.get("exception", {})
        row = {
            **entry,
            "args": json_text(entry["args"]),
            "kwargs": json_text(entry["kwargs"]),
            "result": json_text(entry["result"]) if "result" in entry else "",
            "exception_type": raised.get("type", ""),
            "exception_message": raised.get("message", ""),
        }
        writer.writerow(_cell(row.get(column, "")) for column in _COLUMNS)
    return text.getvalue()


def _cell(value: Any) -> Any:
    # A spreadsheet runs a cell that begins like this as a formula (OWASP, "CSV Injection").
    if isinstance(value, str):
        value = strict(value).replace("\0", "\\x00")
        if value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
            return f"'{value}"
    return value


FORMATS: dict[str, Callable[[Mapping[str, Any], Iterable[Mapping[str, Any]]], str]] = {
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
}
"""The writers, by format: from what is told of a log, and its calls as plain data, to the text."""


def format_of(path: Path, format: str | None, accepted: Iterable[str] = FORMATS) -> str:
    """The format to write ``path`` in: ``format``, or what its suffix says, or else JSON.

    Raises:
        ValueError: there is no such format.
    """
    names = list(accepted)
    if format is None:
        suffix = path.suffix.lower().lstrip(".")
        return suffix if suffix in names else "json"
    if format not in names:
        raise ValueError(f"format: {format!r} is not accepted; accepted: {', '.join(names)}")
    return format


def write(path: str | os.PathLike[str], text: str) -> None:
    """Writes a file whole, in UTF-8: a failure or a crash leaves the file that was there.

    Raises:
        OSError: it cannot be written; the error names ``path``.
    """
    target = Path(os.path.realpath(path))
    temporary: str | None = None
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _mode(target: Path) -> int:
    """The permissions of the file that is there, or those that a new one gets."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
