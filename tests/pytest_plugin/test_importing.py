"""Imports of an unused plugin, and the order of imports."""

from __future__ import annotations

import sys

import pytest

HEAVY = ("smartswitch", "tabulate", "smartcollect", "pydantic", "smartcollect_pytest.session")


def imported_by(pytester, *args):
    """Return the modules imported after a run of pytest."""
    pytester.makepyfile(
        run="""
        import sys
        import pytest
        status = pytest.main(sys.argv[1:])
        print("IMPORTED", *sorted(sys.modules))
        sys.exit(status)
        """
    )
    result = pytester.run(sys.executable, "run.py", "-p", "no:cacheprovider", *args)
    assert result.ret == 0
    lines = [line for line in result.outlines if line.startswith("IMPORTED")]
    return set(lines[0].split()[1:])


def test_an_unused_plugin_imports_few_modules(pytester):
    pytester.makepyfile(test_it="def test_it(): ...")
    modules = imported_by(pytester)
    assert not modules & set(HEAVY)
    without = imported_by(pytester, "-p", "no:smartcollect")
    assert len(modules - without) < 10


def test_an_unused_plugin_writes_no_files(pytester):
    pytester.makepyfile(test_it="def test_it(): ...")
    before = set(pytester.path.iterdir())
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    made = {path.name for path in set(pytester.path.iterdir()) - before}
    assert made <= {"__pycache__"}


@pytest.mark.parametrize("first", ["smartswitch", "smartcollect", "smartswitch.core", "both"])
@pytest.mark.parametrize("where", ["conftest", "test_it"])
@pytest.mark.parametrize("option", ["--smartcollect", "--no-smartcollect"])
def test_handlers_are_watched_with_any_order_of_imports(pytester, first, where, option):
    lines = "import smartcollect, smartswitch" if first == "both" else f"import {first}"
    handler = """
from smartswitch import Switcher
sw = Switcher("api")
@sw
def work(): ...
"""
    test = """
def test_it(collect):
    work()
    collect.assert_called("work", times=1)
"""
    if where == "conftest":
        pytester.makeconftest(lines + handler)
        pytester.makepyfile(test_it=f"from conftest import work\n{test}")
    else:
        pytester.makepyfile(test_it=lines + handler + test)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", option)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["smartswitch", "smartcollect"])
def test_find_spec_before_the_import(pytester, name):
    pytester.makeconftest(f"import importlib.util; assert importlib.util.find_spec({name!r})")
    pytester.makepyfile(
        """
        from smartswitch import Switcher

        sw = Switcher("api")

        @sw
        def work(): ...

        def test_it(collect):
            work()
            collect.assert_called("work", times=1)
        """
    )
    pytester.runpytest_subprocess("--smartcollect").assert_outcomes(passed=1)


def test_a_missing_smartswitch_is_not_an_error(pytester):
    pytester.makepyfile(
        test_it="""
        import pytest
        def test_it():
            with pytest.raises(ImportError):
                import smartswitch
        """,
        # Hides the real smartswitch.
        smartswitch="raise ImportError('broken')",
    )
    pytester.syspathinsert()
    pytester.runpytest_subprocess("--smartcollect").assert_outcomes(passed=1)
