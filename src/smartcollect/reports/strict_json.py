"""Strict JSON, which every parser accepts: no NaN, no lone surrogates, only strings as keys."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from ..values.snapshot import unused

_AS_THEY_ARE = frozenset({int, bool, type(None)})
_SCALARS = _AS_THEY_ARE | {float, str}
_OPTIONS: dict[str, Any] = {"allow_nan": False, "ensure_ascii": False}
# Bound early: tests under observation may patch the module.
_dumps = json.dumps


def json_text(value: Any, **options: Any) -> str:
    """Return plain data as strict JSON."""
    return _dumps(strict(value), **_OPTIONS, **options)


def strict(value: Any) -> Any:
    """Return plain data that JSON can represent: NaN and infinities as text, keys as strings."""
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
            # As `json.dumps` writes these keys.
            name = (
                {None: "null", True: "true", False: "false"}[key]
                if (key is None or isinstance(key, bool))
                else strict(str.__str__(key) if isinstance(key, str) else str(key))
            )
            made[unused(name, made)] = strict(item)
        return made
    return value


# Shared, because `json.dumps` with options makes an encoder for each call. Snapshots have no
# cycles, so there is no need to look for them.
_encoded = json.JSONEncoder(**_OPTIONS, check_circular=False).encode


# Without spaces, for files with a million such values.
_compactly = json.JSONEncoder(**_OPTIONS, check_circular=False, separators=(",", ":")).encode


def quick_text(value: Any) -> str:
    """Return plain data with string keys as strict JSON, quickly if the data is strict already."""
    return _quickly(_encoded, value)


def compact(value: Any) -> str:
    """Return the same as `quick_text`, without spaces."""
    return _quickly(_compactly, value)


def _quickly(encode: Callable[[Any], str], value: Any) -> str:
    # Checking the text takes a tenth of the time of `strict`, which copies the data and takes as
    # long as encoding it.
    try:
        text = encode(value)
        text.encode()
    except ValueError:  # NaN or an infinity, a lone surrogate
        return encode(strict(value))
    return text


def line(entry: Mapping[str, Any]) -> str:
    """Return a call as strict JSON."""
    # Most calls have only scalars. Containers may have keys of any type.
    values = (*entry["args"], *entry["kwargs"].values(), entry.get("result"))
    if _SCALARS.issuperset(map(type, values)):
        return quick_text(entry)
    return _encoded(strict(entry))
