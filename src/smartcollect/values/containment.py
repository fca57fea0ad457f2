"""Which exceptions are failures of the recorder, and which only passed through it."""

from __future__ import annotations

import os
import sysconfig
from types import CodeType

from .functions import original_code
from .known import name_of

NO_ROOM = (RecursionError, MemoryError)
"""Raised by the interpreter wherever room is short."""
FILE = "<smartcollect>"
"""What tracebacks call the file of code that is made of text."""
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = (sysconfig.get_path("stdlib"), "<frozen ")


def is_own(code: CodeType) -> bool:
    """Return whether ``code`` is the recorder's."""
    return original_code(code) is not code or code.co_filename.startswith((_PACKAGE, FILE))


def is_foreign(error: BaseException) -> bool:
    """Return whether somebody else raised ``error`` while the recorder worked: a signal handler.

    That may be the time limit of a test or of the application: it goes on to where it belongs.
    """
    found = error.__traceback__
    if found is None or isinstance(error, NO_ROOM):
        return False
    if name_of(type(error)) == "BdbQuit":
        return True  # a debugger is to quit, which stepped in here
    while found.tb_next is not None:
        found = found.tb_next
    code = found.tb_frame.f_code
    return not is_own(code) and not code.co_filename.startswith(_STANDARD)
