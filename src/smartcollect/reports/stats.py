"""``Stats``: statistics that print themselves as a table."""

from __future__ import annotations

from typing import Any

from ..storage.fields import STATISTICS, Statistics
from . import tables


class Stats(dict[str, Statistics]):
    """Statistics by handler: a dict that sorts itself and prints itself as a table.

    Example:
        >>> stats = Stats()
        >>> print(stats)
        no handler was called
    """

    def sort_by(self, field: str, reverse: bool = False) -> list[dict[str, Any]]:
        """The statistics of each handler, with its name as ``"handler"``, in order of ``field``.

        Args:
            field: ``"handler"`` or a field of `Statistics`.
            reverse: the largest first.

        Raises:
            ValueError: there is no such field.

        Example:
            >>> Stats().sort_by("total_time", reverse=True)
            []
        """
        accepted = ("handler", *STATISTICS)
        if field not in accepted:
            raise ValueError(
                f"field: {field!r} is not a statistic; accepted: {', '.join(accepted)}"
            )
        rows: list[dict[str, Any]] = [{"handler": name, **row} for name, row in self.items()]
        return sorted(rows, key=lambda row: row[field], reverse=reverse)

    def _table(self, format: str) -> str:
        return tables.statistics(self.sort_by("total_time", reverse=True), format)

    def __str__(self) -> str:
        return self._table("simple")

    def _repr_html_(self) -> str:
        return self._table("html")
