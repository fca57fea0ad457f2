"""The hooks that other plugins and ``conftest.py`` files can implement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from smartcollect import Profile


@pytest.hookspec
def pytest_smartcollect_machine_info(config: pytest.Config) -> Mapping[str, str] | None:
    """Tells more of what times depend on: runs are compared with baselines that tell the same.

    Called once in a profiled run, where the tests are reported, not on workers.

    Args:
        config: of the run.

    Returns:
        Texts by name, such as ``{"runner": "large"}``; they join the machine's own in the report,
        and take their place where the names are the same.

    Example:
        In a ``conftest.py``::

            def pytest_smartcollect_machine_info(config):
                return {"runner": os.environ["RUNNER_SIZE"]}
    """


@pytest.hookspec
def pytest_smartcollect_profile(config: pytest.Config, profile: Profile) -> None:
    """Takes the profile of the whole run, before files are written.

    Called once in a profiled run in which handlers were registered, not on workers.

    Args:
        config: of the run.
        profile: that of all tests; immutable.

    Example:
        In a ``conftest.py``::

            def pytest_smartcollect_profile(config, profile):
                print([name.full for name in profile.uncalled()])
    """
