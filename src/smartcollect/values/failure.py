"""Exceptions as text, which keep no frame or object alive."""

from __future__ import annotations

import traceback
from collections import deque
from types import TracebackType
from typing import NamedTuple

from ..text import cut
from .containment import is_own
from .known import name_of
from .snapshot import Snapshot

MAX_FRAMES = 40
"""Maximum number of frames to keep of a traceback."""
MAX_NAME = 200
"""Maximum length of the name of an exception's class."""
MAX_CHAIN = 5
"""Maximum number of exceptions to keep of a chain of causes."""
# An exception class may define properties with these names.
_cause_of, _context_of, _is_suppressed, _traceback_of = (
    BaseException.__dict__[name].__get__
    for name in ("__cause__", "__context__", "__suppress_context__", "__traceback__")
)


class Failure(NamedTuple):
    """An exception as text, which keeps no frame or object alive.

    Attributes:
        type: the name of its class.
        message: its ``str``, with a maximum length.
        frames: (file, line, function) of each frame in the traceback, outermost first.
        cause: the exception that it was raised from, or while handling which it was raised.
        explicit: whether the cause was given with ``raise … from``.
    """

    type: str
    message: str
    frames: tuple[tuple[str, int, str], ...]
    cause: Failure | None = None
    explicit: bool = False

    def traceback(self) -> str:
        """Return the text that Python would print; source lines are read now."""
        lines = []
        if self.cause is not None:
            between = (
                "The above exception was the direct cause of the following exception:"
                if self.explicit
                else "During handling of the above exception, another exception occurred:"
            )
            lines += [self.cause.traceback(), f"\n{between}\n\n"]
        if self.frames:
            summary = traceback.StackSummary.from_list(
                [traceback.FrameSummary(*frame, lookup_line=False) for frame in self.frames]
            )
            lines += ["Traceback (most recent call last):\n", *summary.format()]
        lines.append(f"{self.type}: {self.message}\n" if self.message else f"{self.type}\n")
        return "".join(lines)


def failure(error: BaseException, snapshot: Snapshot) -> Failure:
    """Return ``error`` as text.

    Args:
        error: the exception, while it is being handled.
        snapshot: turns the message and arguments of the exception into text.
    """
    chain: list[BaseException] = []
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen and len(chain) < MAX_CHAIN:
        seen.add(id(link))
        chain.append(link)
        cause = _cause_of(link)
        link = cause if cause is not None or _is_suppressed(link) else _context_of(link)
    made: Failure | None = None
    for link in reversed(chain):
        message = snapshot.message(link)
        made = Failure(
            cut(name_of(type(link)), MAX_NAME),
            message,
            _frames(_traceback_of(link)),
            made,
            _cause_of(link) is not None,
        )
    assert made is not None
    return made


def _frames(trace: TracebackType | None) -> tuple[tuple[str, int, str], ...]:
    # Keep the innermost frames, which say most; in a deep recursion the outer ones are dropped.
    kept: deque[tuple[str, int, str]] = deque(maxlen=MAX_FRAMES)
    while trace is not None:
        code = trace.tb_frame.f_code
        if not is_own(code):
            kept.append((code.co_filename, trace.tb_lineno or 0, code.co_name))
        trace = trace.tb_next
    return tuple(kept)
