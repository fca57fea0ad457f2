"""Hooks for other plugins and ``conftest.py`` files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from smartcollect import Profile


@pytest.hookspec
def pytest_smartcollect_machine_info(config: pytest.Config) -> Mapping[str, str] | None:
    """Return facts about this machine that times depend on, such as the size of a CI runner.

    Times are compared only with runs that have the same facts. Called once per profiled run,
    in the controller process and not on xdist workers.

    Args:
        config: pytest's configuration.

    Returns:
        A dict of text, such as ``{"runner": "large"}``. It is merged into the machine's facts in
        the report and replaces facts with the same name.

    Example:
        In a ``conftest.py``::

            def pytest_smartcollect_machine_info(config):
                return {"runner": os.environ["RUNNER_SIZE"]}
    """


@pytest.hookspec
def pytest_smartcollect_profile(config: pytest.Config, profile: Profile) -> None:
    """Use the profile of the whole run, before reports are written.

    Called once per profiled run, in the controller process and not on xdist workers. Not called
    if handlers cannot be watched.

    Args:
        config: pytest's configuration.
        profile: the profile of all tests; immutable.

    Example:
        In a ``conftest.py``::

            def pytest_smartcollect_profile(config, profile):
                print([name.full for name in profile.uncalled()])
    """
