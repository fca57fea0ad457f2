"""JSON that every reader takes: no NaN, no lone surrogates, each key a string."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from ..values.snapshot import unused

_AS_THEY_ARE = frozenset({int, bool, type(None)})
_SCALARS = _AS_THEY_ARE | {float, str}
_OPTIONS: dict[str, Any] = {"allow_nan": False, "ensure_ascii": False}
# Bound here: tests replace what others look up while they run.
_dumps = json.dumps


def json_text(value: Any, **options: Any) -> str:
    """Return strict JSON of plain data."""
    return _dumps(strict(value), **_OPTIONS, **options)


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


# Without spaces, for files that have a million of such values.
_compactly = json.JSONEncoder(**_OPTIONS, check_circular=False, separators=(",", ":")).encode


def quick_text(value: Any) -> str:
    """Return strict JSON of plain data whose keys are strings, most of which is strict already."""
    return _quickly(_encoded, value)


def compact(value: Any) -> str:
    """Return the same as short as it can be."""
    return _quickly(_compactly, value)


def _quickly(encode: Callable[[Any], str], value: Any) -> str:
    # To see that it is strict takes a tenth of the time in which `strict` copies the data, which
    # alone would take as long as to write it.
    try:
        text = encode(value)
        text.encode()
    except ValueError:  # NaN or an infinity, a lone surrogate
        return encode(strict(value))
    return text


def line(entry: Mapping[str, Any]) -> str:
    """Return strict JSON of one call."""
    # Most calls have scalars only. Keys may be anything in the others.
    values = (*entry["args"], *entry["kwargs"].values(), entry.get("result"))
    if _SCALARS.issuperset(map(type, values)):
        return quick_text(entry)
    return _encoded(strict(entry))
