"""The same small suite and the same three ways to run as in the tests of the pytest plugin."""

from __future__ import annotations

import pytest
from pytest_plugin.conftest import long_lines, run, suite

__all__ = ["long_lines", "no_other_plugin", "run", "suite"]


@pytest.fixture(autouse=True)
def no_other_plugin(pytester, monkeypatch):
    """Leaves plugins out of the runs that take the same markers as others, or much time."""
    left_out = "-p no:hypothesispytest -p no:flaky -p no:pytest-retry"
    monkeypatch.setenv("PYTEST_ADDOPTS", left_out)
