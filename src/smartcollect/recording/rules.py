"""How one log records: its settings, and what they make of values."""

from __future__ import annotations

from ..storage.rows import KWARGS, Call, Row
from ..values.capture import Raw
from ..values.redaction import Redactor
from ..values.snapshot import Snapshot
from .nesting import suspended
from .settings import LogSettings


class Rules:
    """The settings of a log in force, which may change while it records.

    Args:
        settings: those to begin with.

    Attributes:
        settings: those in force.
        redactor: tells secret names.
        snapshot: makes plain data of values; it counts those that failed.
    """

    def __init__(self, settings: LogSettings) -> None:
        self.snapshot = Snapshot()
        self.change(settings)

    def change(self, settings: LogSettings) -> None:
        """Put other settings in force."""
        self.settings = settings
        self.redactor = Redactor(settings.redact)
        failures = self.snapshot.failures
        self.snapshot = self.new_snapshot()
        self.snapshot.failures = failures

    def new_snapshot(self) -> Snapshot:
        """Return a snapshot of the same rules that counts failures of its own."""
        settings = self.settings
        return Snapshot(settings.serializers, self.redactor, settings.objects, suspended)


def serialized(row: Row, snapshot: Snapshot) -> Row:
    """Return the call with plain data in place of objects, where the log keeps these."""
    if type(row[KWARGS]) is not Raw:
        return row
    call = Call.of(row)
    (result,) = snapshot.arguments((call.result,))
    args, kwargs = snapshot.arguments(call.args), snapshot.keywords(call.kwargs)
    return call._replace(args=args, kwargs=kwargs, result=result)
