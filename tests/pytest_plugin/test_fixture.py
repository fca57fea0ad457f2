from __future__ import annotations

import pytest
from support import plain

TESTS = """
    import pytest
    import app

    app.show(0)

    def test_each_test_has_its_own_log(collect):
        assert collect.history() == []
        app.show(1)
        app.index(2)
        collect.assert_called("users.show", times=3)
        collect.assert_called("shop.users.show", times=3)
        collect.assert_not_called("users.delete")

    def test_another_test(collect):
        app.show(1)
        collect.assert_called("users.show", times=1)

    def test_each_way_to_call_counts(collect):
        app.show(1)
        for_name = getattr(app.api, "get", app.api)
        for_name("users.show")(2)
        getattr(app.users, "get", app.users)("show")(3)
        collect.assert_called("users.show", times=3)

    def test_errors(collect):
        with pytest.raises(ValueError):
            app.show(-1)
        assert collect.errors()[0]["exception"]["message"] == "no such user"
        with pytest.raises(AssertionError, match="users.show raised once"):
            collect.assert_no_errors()

    def test_a_budget(collect):
        app.index(3)
        collect.assert_budget("users.*", calls=3, max_time="10s")

    @pytest.mark.xfail(raises=AssertionError, strict=True)
    def test_a_name_that_fits_nothing_fails(collect):
        collect.assert_not_called("users.shwo")
    """


@pytest.mark.parametrize("option", ["", "--smartcollect", "--no-smartcollect"])
def test_the_fixture_works_with_and_without_the_option(suite, run, option):
    suite.makepyfile(test_fixture=TESTS)
    run(*filter(None, [option]), "test_fixture.py").assert_outcomes(passed=5, xfailed=1)


def test_the_fixture_has_help_text(suite):
    suite.runpytest("--fixtures", "-q").stdout.fnmatch_lines(
        ["collect*", "*Record all calls of handlers, and of functions in *"]
    )


def test_handlers_of_earlier_tests_do_not_make_names_ambiguous(pytester):
    pytester.makepyfile(
        """
        import pytest
        from smartswitch import Switcher

        @pytest.mark.parametrize("name", ["a", "b", "c"])
        def test_it(collect, name):
            sw = Switcher(name)
            @sw
            def work(): ...
            work()
            collect.assert_called("work", times=1)
        """
    )
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=3)


@plain
def test_methods(pytester, run):
    pytester.makepyfile(
        """
        from smartswitch import Switcher

        class Shop:
            api = Switcher("shop")

            @api
            def order(self, number):
                return number

        def test_it(collect):
            shop = Shop()
            assert shop.order(1) == Shop.order(shop, 1) == 1
            collect.assert_called("order", times=2)
        """
    )
    run().assert_outcomes(passed=1)
