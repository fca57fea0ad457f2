"""Distinguishes failures of the recorder from exceptions that only pass through it."""

from __future__ import annotations

import os
import sysconfig
from types import CodeType

from .functions import original_code
from .known import name_of

NO_ROOM = (RecursionError, MemoryError)
"""Exceptions of the interpreter when the stack or the memory is full, raised anywhere."""
FILE = "<smartcollect>"
"""The file name of code that is compiled from text, as tracebacks show it."""
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = (sysconfig.get_path("stdlib"), "<frozen ")


def is_own(code: CodeType) -> bool:
    """Return whether ``code`` belongs to the recorder."""
    return original_code(code) is not code or code.co_filename.startswith((_PACKAGE, FILE))


def is_foreign(error: BaseException) -> bool:
    """Return whether code outside the recorder, such as a signal handler, raised ``error``.

    It may be the time limit of a test or of the application, and must propagate.
    """
    found = error.__traceback__
    if found is None or isinstance(error, NO_ROOM):
        return False
    if name_of(type(error)) == "BdbQuit":
        return True  # the user quit a debugger that had stepped into the recorder
    while found.tb_next is not None:
        found = found.tb_next
    code = found.tb_frame.f_code
    return not is_own(code) and not code.co_filename.startswith(_STANDARD)
