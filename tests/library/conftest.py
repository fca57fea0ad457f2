from __future__ import annotations

import pytest
from smartswitch import Switcher


@pytest.fixture
def sw():
    """A collected switcher of three handlers, one of them a child's."""
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
