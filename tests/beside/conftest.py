"""The small suite and the three ways to run it from the tests of the pytest plugin."""

from __future__ import annotations

import pytest
from pytest_plugin.conftest import long_lines, run, suite

__all__ = ["long_lines", "no_other_plugin", "run", "suite"]


@pytest.fixture(autouse=True)
def no_other_plugin(quick_start, monkeypatch):
    """Disable plugins that use the markers of other plugins, or that are slow."""
    left_out = "-p no:hypothesispytest -p no:flaky -p no:pytest-retry"
    monkeypatch.setenv("PYTEST_ADDOPTS", left_out)
