"""Debugging a profiled suite with pdb."""

from __future__ import annotations

import sys

import pytest

EVENTS = sys.version_info >= (3, 12)


@pytest.fixture
def debug(pytester):
    pytester.makepyfile(
        app="""
        from smartswitch import Switcher
        api = Switcher("api")

        @api
        def price(amount):
            total = amount * 2
            return total
        """,
        test_price="""
        import app

        def test_price():
            assert app.price(21) == 42

        def test_another(): ...
        """,
    )

    def debug(*commands):
        return pytester.run(
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *("--trace", "--smartcollect", "test_price.py"),
            stdin="".join(f"{command}\n" for command in commands).encode(),
        )

    return debug


def test_a_breakpoint_in_a_handler_shows_its_arguments(debug):
    result = debug("b app.price", "c", "p amount", "q")
    result.stdout.fnmatch_lines(["*(Pdb)*21"])
    assert result.ret == pytest.ExitCode.INTERRUPTED
    if EVENTS:
        result.stdout.fnmatch_lines(["-> total = amount * 2"])


@pytest.mark.parametrize("steps", [1, 2, 3, 5] if EVENTS else [1, 2, 3, 6, 12])
def test_q_quits_after_any_number_of_steps(debug, steps):
    result = debug(*["s"] * steps, "q")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    if EVENTS:
        result.stdout.no_fnmatch_line("*smartcollect/*")
