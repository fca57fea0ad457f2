"""A small test suite, and a fixture that runs pytest plain, with ``-n0`` and with ``-n2``."""

from __future__ import annotations

import pytest

SUITE = {
    "app": """
        from smartswitch import Switcher

        api = Switcher("shop")
        users = Switcher("users")
        api.add_child(users)

        @api
        def index(pages=0):
            for page in range(pages):
                show(page)

        @users
        def show(number):
            if number < 0:
                raise ValueError("no such user")

        @users
        def delete(number):
            return number + 0
        """,
    "test_one": """
        import pytest
        import app

        @pytest.mark.parametrize("number", range(4))
        def test_show(number):
            app.show(number)

        def test_refused():
            with pytest.raises(ValueError):
                app.show(-1)
        """,
    "test_two": """
        import pytest
        import app

        app.show(0)  # outside a test, so it does not count

        @pytest.fixture
        def shown():
            app.show(1)
            yield
            app.show(2)

        def test_index(shown):
            app.index(12)

        def test_nothing():
            from smartswitch import Switcher
            Switcher("local")(lambda: None)
        """,
}


@pytest.fixture(autouse=True)
def no_other_plugin(quick_start, monkeypatch):
    """Disable the plugin of hypothesis in inner runs, because it makes them three times as slow."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")


@pytest.fixture(autouse=True)
def long_lines(no_other_plugin, monkeypatch):
    """Make the terminal so wide that no line of the summary wraps."""
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture
def suite(pytester):
    """Write the small suite to the test's directory, and return ``pytester``."""
    pytester.makepyfile(**SUITE)
    pytester.makeini("[pytest]\npythonpath = .")
    return pytester


WAYS = {"plain": (), "n0": ("-n0",), "n2": ("-n2",)}


@pytest.fixture(params=WAYS)
def run(request, pytester):
    """Return a function that runs pytest; the test runs once for each of the three ways."""

    def run(*args):
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *WAYS[request.param], *args)

    return run
