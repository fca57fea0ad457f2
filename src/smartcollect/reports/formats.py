"""The formats of exported calls, with a writer for each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .strict_json import json_text, line, strict


def _json(heading: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> str:
    return json_text({**heading, "history": list(entries)}, indent=2) + "\n"


def _jsonl(_: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> str:
    return "".join([f"{line(entry)}\n" for entry in entries])


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
    # Spreadsheets run cells that begin with these characters as formulas (OWASP, "CSV Injection").
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
"""The writers by format. A writer returns the text of a heading and calls, both plain data."""


TRACE = "trace"
"""The format of traces. No suffix selects it but ``.speedscope.json``."""
ACCEPTED = (*FORMATS, TRACE)


def format_of(path: Path, format: str | None, accepted: Iterable[str] = ACCEPTED) -> str:
    """Return the format of a file: ``format``, else the one of the suffix, else JSON.

    ``.gz`` at the end is not part of the suffix.

    Raises:
        ValueError: ``format`` is unknown.
    """
    names = list(accepted)
    if format is None:
        name = path.name.lower().removesuffix(".gz")
        if name.endswith(".speedscope.json"):
            return TRACE
        suffix = Path(name).suffix.lstrip(".")
        return suffix if suffix in names else "json"
    if format not in names:
        raise ValueError(f"unknown format {format!r}; choose from {', '.join(names)}")
    return format
