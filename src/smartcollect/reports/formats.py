"""Exports of calls: one writer for each format."""

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
"""The writers, by format: from the heading and the calls as plain data to the text."""


TRACE = "trace"
"""A trace of the calls. It has to be named, unless the file is one of speedscope's."""
ACCEPTED = (*FORMATS, TRACE)


def format_of(path: Path, format: str | None, accepted: Iterable[str] = ACCEPTED) -> str:
    """The format to write ``path`` in: ``format``, or what its suffix says, or else JSON.

    The suffix is what stands before ``.gz``, which compresses the file.

    Raises:
        ValueError: there is no such format.
    """
    names = list(accepted)
    if format is None:
        name = path.name.lower().removesuffix(".gz")
        if name.endswith(".speedscope.json"):
            return TRACE
        suffix = Path(name).suffix.lstrip(".")
        return suffix if suffix in names else "json"
    if format not in names:
        raise ValueError(f"format: {format!r} is not accepted; accepted: {', '.join(names)}")
    return format
