"""``Stats``, the statistics of handlers as a dict that prints itself as a table."""

from __future__ import annotations

from typing import Any

from ..checks import true_or_false
from ..storage.fields import STATISTICS, Statistics
from . import tables


class Stats(dict[str, Statistics]):
    """The statistics of handlers: a dict from name to `Statistics` that prints as a table.

    ``str()`` returns a table, sorted by total time. Notebooks show the table as HTML.

    Example:
        >>> stats = Stats()
        >>> print(stats)
        no handler was called
    """

    def sort_by(self, field: str, reverse: bool = False) -> list[dict[str, Any]]:
        """Return the statistics of the handlers as a list, sorted by a field.

        Args:
            field: ``"handler"`` (the name), or a field of `Statistics` such as ``"total_time"``.
            reverse: whether the largest value comes first.

        Returns:
            One dict per handler: its `Statistics`, and its name as ``"handler"``.

        Raises:
            TypeError: ``reverse`` is not a ``bool``.
            ValueError: ``field`` is unknown.

        Example:
            >>> from smartswitch import Switcher
            >>> api = Switcher("api").plug("collect")
            >>> @api
            ... def ping(): ...
            >>> ping()
            >>> stats = api.collect.stats()
            >>> [row["handler"] for row in stats.sort_by("total_time", reverse=True)]
            ['ping']
        """
        accepted = ("handler", *STATISTICS)
        if field not in accepted:
            raise ValueError(f"unknown field {field!r}; choose from {', '.join(accepted)}")
        true_or_false("reverse", reverse)
        rows: list[dict[str, Any]] = [{"handler": name, **row} for name, row in self.items()]
        return sorted(rows, key=lambda row: row[field], reverse=reverse)

    def _table(self, format: str) -> str:
        return tables.statistics(self.sort_by("total_time", reverse=True), format)

    def __str__(self) -> str:
        return self._table("simple")

    def _repr_html_(self) -> str:
        return self._table("html")
