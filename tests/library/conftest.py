from __future__ import annotations

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
