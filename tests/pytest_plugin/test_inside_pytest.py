"""Tests of pytest plugins that run pytest in the same process.

pytester removes modules imported by the inner run from `sys.modules`. If smartswitch was imported
before the inner run and smartcollect was not, each inner run uses the same smartswitch with a new
copy of smartcollect.
"""

from __future__ import annotations

import pytest

OUTER = """
    import pytest

    INNER = dict(
        app='''
            from smartswitch import Switcher
            api = Switcher("api")

            @api
            def work(): ...
            ''',
        test_in='''
            import app
            import pytest

            def test_plain(): app.work()

            def test_fixture(collect):
                app.work()
                collect.assert_called("work", times=1)

            @pytest.mark.collect_budget("work", calls=1)
            def test_budget():
                app.work()
            ''',
    )

    @pytest.mark.parametrize("number", range(2))
    @pytest.mark.parametrize("option", ["--smartcollect", "--no-summary"])
    def test_inner(pytester, number, option):
        pytester.makepyfile(**INNER)
        pytester.syspathinsert()
        result = pytester.runpytest_inprocess(option)
        result.assert_outcomes(passed=3)
        if option == "--smartcollect":
            result.stdout.fnmatch_lines(["3 calls to 1 handler in 3 tests; *"])

    def own():
        from smartswitch import Switcher
        api = Switcher("own")

        @api
        def mine(): ...

        mine()

    @pytest.mark.parametrize("number", range(2))
    def test_fixture(number, pytester, collect):
        own()
        collect.assert_called("mine", times=1)

    @pytest.mark.parametrize("number", range(2))
    @pytest.mark.collect_budget("mine", calls=1)
    def test_budget(number, pytester):
        own()

    @pytest.mark.parametrize("number", range(2))
    def test_shared(number, collect):
        conftest = pytest.importorskip("conftest")
        if hasattr(conftest, "shared"):
            conftest.early()
            collect.assert_called("early", times=1)
    """
BEFORE = {
    "nothing": "",
    "smartswitch": "import smartswitch",
    "handlers": """
        from smartswitch import Switcher
        shared = Switcher("shared")

        @shared
        def early(): ...
        """,
    "both": "import smartcollect, smartswitch",
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("option", ["--smartcollect", "--no-summary"])
def test_pytest_inside_pytest(pytester, before, option):
    pytester.makeconftest(BEFORE[before])
    pytester.makepyfile(test_outer=OUTER)
    pytester.makeini("[pytest]\npythonpath = .")
    result = pytester.runpytest_subprocess("-p", "pytester", option)
    result.assert_outcomes(passed=10)
    assert result.ret == 0


def test_copies_do_not_pile_up(pytester):
    pytester.makepyfile(
        """
        import gc, sys, warnings

        warnings.simplefilter("ignore")
        from smartswitch import Switcher

        def test_it():
            for number in range(20):
                for name in [name for name in sys.modules if name.startswith("smartcollect")]:
                    del sys.modules[name]
                import smartcollect.plugin
                plug = Switcher.plug if number == 0 else plug
                assert Switcher.plug is plug
            gc.collect()
            assert len([one for one in Switcher._smartcollect_hooks if one()]) < 5
            api = Switcher("api").plug("collect")

            @api
            def work(): ...

            with smartcollect.collecting() as log:
                work()
            log.assert_called("work", times=1)
            assert api.collect.stats("work")["calls"] == 1
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:smartcollect")
    result.assert_outcomes(passed=1)
