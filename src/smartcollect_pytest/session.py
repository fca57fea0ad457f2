"""The whole run: reports of tests become one ``Profile``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .capture import ATTRIBUTE, unload
from .options import Settings

if TYPE_CHECKING:
    from smartcollect import Profile


class Session:
    """Gathers what rides on reports, wherever the tests ran.

    Args:
        settings: the options of the run.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._profiles: list[Profile] = []

    def add(self, report: Any) -> None:
        """Takes what rides on ``report``."""
        if hasattr(report, ATTRIBUTE):
            profile = unload(report)
            if profile is not None:
                self._profiles.append(profile)

    def profile(self) -> Profile | None:
        """The profile of all tests so far; ``None`` where no report carried one.

        A suite without handlers does not need the library, and may be without smartswitch.
        """
        if not self._profiles:
            return None
        from smartcollect import merge

        return merge(self._profiles)
