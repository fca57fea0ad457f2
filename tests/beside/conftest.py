"""The same small suite and the same three ways to run as in the tests of the pytest plugin."""

from __future__ import annotations

from pytest_plugin.conftest import no_other_plugin, run, suite

__all__ = ["no_other_plugin", "run", "suite"]
