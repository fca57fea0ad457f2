"""The line that made a call."""

from __future__ import annotations

from types import FrameType

from ..storage.rows import Place
from ..values.functions import original_code

# Packages whose frames only pass a call on to a handler; the caller is further out.
_BETWEEN = frozenset({"asyncio", "concurrent", "smartcollect", "smartswitch", "threading"})


def call_site(frame: FrameType | None) -> Place | None:
    """Return the nearest line of application code, from ``frame`` outwards."""
    while frame is not None:
        code = frame.f_code
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        # Stand-in code has the file and line of the function that it stands in for.
        if package not in _BETWEEN and original_code(code) is code:
            return code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None
