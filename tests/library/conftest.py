from __future__ import annotations

import gc

import pytest
from smartswitch import Switcher


@pytest.fixture
def sw():
    """A plugged switcher with three handlers, one of them in a child switcher."""
    sw = Switcher("api").plug("collect")

    @sw
    def process(value):
        return value

    @sw
    def other(value):
        return value

    child = Switcher("users", parent=sw)

    @child
    def show(value):
        return value

    sw.handlers = process, other, show
    return sw


@pytest.fixture
def no_collection():
    """Disable the garbage collector for a test in which it would do harm.

    What Python calls when it collects an object fails at the limit of recursion, with or without
    recording. It is also visible to tracers and profilers: objects of earlier tests may be
    collected.
    """
    gc.disable()
    yield
    gc.enable()
