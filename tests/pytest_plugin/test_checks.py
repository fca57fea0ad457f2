"""Runs that fail for uncalled handlers or repeated calls."""

from __future__ import annotations

import pytest
from support import plain

UNCALLED = "never called: "


@pytest.fixture
def ini(suite):
    """Return a function that writes the ini file."""

    def ini(*lines):
        suite.makeini("\n".join(["[pytest]", "pythonpath = .", *lines]))

    return ini


def test_uncalled_handlers_fail_the_run(suite, run, ini):
    ini("smartcollect_fail_uncalled = true")
    result = run("--smartcollect")
    result.assert_outcomes(passed=7)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"{UNCALLED}users.delete"])


def test_the_command_line_beats_the_ini_file(suite, ini):
    def status(*options):
        return suite.runpytest_subprocess(*options).ret

    ini("smartcollect_fail_uncalled = true")
    assert status() == 0  # the ini file alone does not turn on the profile
    assert status("--smartcollect", "--no-smartcollect-fail-uncalled") == 0
    ini()
    assert status("--smartcollect-fail-uncalled") == 1


@plain
@pytest.mark.parametrize(
    "options",
    [
        ["--smartcollect-fail-uncalled"],
        ["--smartcollect-repeat-threshold=10"],
        ["--smartcollect-compare=base.json", "--smartcollect-compare-fail=25%"],
    ],
)
def test_a_check_without_handlers_fails_the_run(pytester, run, options):
    pytester.makepyfile("def test_it(): ...\ndef test_more(): ...")
    assert run("--smartcollect", "--smartcollect-report=base.json").ret == 0
    result = run(*options, "-q")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["nothing to judge: no handlers were found; *"])
    result.stdout.no_fnmatch_line("*no regression")
    result = run(*options, "-k", "test_it")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["not judged, since 1 test deselected: nothing to judge: *"])
    result = run(*options, "--smartcollect-watch=nothing")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["no handlers found", "--smartcollect-watch (command line): *"])
    result.stdout.no_fnmatch_line("nothing to judge: *")


@pytest.mark.parametrize("pattern", ["users.delete", "shop.users.d*", "*"])
def test_allowed_handlers_may_stay_uncalled(suite, ini, pattern):
    ini("smartcollect_fail_uncalled = true", "smartcollect_allow_uncalled =", f"  {pattern}")
    result = suite.runpytest_subprocess("--smartcollect")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["never called: users.delete"])


@plain
@pytest.mark.parametrize("arguments", [("-k", "not test_index"), ("-m", "not slow")])
def test_partial_runs_do_not_fail_for_uncalled_handlers(suite, run, arguments):
    suite.makepyfile(
        test_three="""
        import pytest

        @pytest.mark.slow
        def test_slow(): ...
        """
    )
    suite.makeini("[pytest]\npythonpath = .\nmarkers = slow: slow")
    result = run("--smartcollect-fail-uncalled", *arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"not judged, since 1 test deselected: {UNCALLED}*users.delete"])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--deselect", "test_one.py::test_refused"), "1 test deselected"),
        (("test_one.py",), "test_two.py did not run"),
        (
            ("test_one.py::test_refused",),
            "only selected tests ran (such as test_one.py::test_refused)",
        ),
        (("--ignore=test_two.py",), "--ignore was given"),
        (("--lf",), "--lf was given"),
        (("--setup-only",), "--setup-only was given"),
    ],
)
def test_other_ways_to_run_part_of_the_suite(suite, arguments, why):
    result = suite.runpytest_subprocess("--smartcollect-fail-uncalled", *arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"not judged, since {why}: {UNCALLED}*users.delete"])


@plain
def test_exceptions_that_match_no_handler(suite, run, ini):
    ini(
        "smartcollect_fail_uncalled = true",
        "smartcollect_allow_uncalled =\n  users.delete\n  users.delte",
        "smartcollect_repeat_threshold = 1000",
        "smartcollect_allow_repeats = indx>users.show",
    )
    lines = [
        "allow_uncalled: no handler is named 'users.delte'; did you mean 'users.delete'[?]",
        "allow_repeats: no handler is named 'indx'; did you mean 'index'[?]",
    ]
    result = run("--smartcollect")
    assert result.ret == 0
    result.stdout.fnmatch_lines(lines, consecutive=True)
    run("--smartcollect", "test_one.py").stdout.no_fnmatch_line(lines[0])


DROPPED = {
    "items": """
        def pytest_collection_modifyitems(items):
            items[:] = items[::2]
        """,
    "items and order": """
        def pytest_collection_modifyitems(items):
            items[:] = [items[2], items[1]]
        """,
    "runs": """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            if item.name == "test_show[1]":
                # The next test of this worker may be in another module.
                item.session._setupstate.teardown_exact(nextitem)
                return True
        """,
}


@pytest.mark.parametrize("how", DROPPED)
def test_a_run_with_dropped_tests_does_not_fail(suite, run, how):
    suite.makeconftest(DROPPED[how])
    result = run("--smartcollect-fail-uncalled")
    assert result.ret == 0
    result.stdout.re_match_lines([f"not judged, since .*: {UNCALLED}.*users.delete"])


def test_tests_that_xdist_renames_are_not_taken_for_dropped(suite):
    suite.makeconftest(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.xdist_group("one"))
            items.reverse()
        """
    )
    result = suite.runpytest_subprocess("--smartcollect-fail-uncalled", "-n2", "--dist=loadgroup")
    assert result.ret == 1
    result.stdout.no_fnmatch_line("not judged*")


@pytest.mark.parametrize("arguments", [(), (".",), ("test_one.py", "test_two.py"), ("../{name}",)])
def test_other_ways_to_run_the_whole_suite(suite, arguments):
    arguments = [argument.format(name=suite.path.name) for argument in arguments]
    result = suite.runpytest_subprocess("--smartcollect-fail-uncalled", *arguments)
    assert result.ret == 1


def test_testpaths_define_the_whole_suite(suite, ini):
    suite.mkdir("unit")
    suite.mkdir("slow")
    suite.path.joinpath("test_one.py").rename(suite.path / "unit/test_one.py")
    suite.path.joinpath("test_two.py").rename(suite.path / "slow/test_two.py")

    def status(*arguments):
        return suite.runpytest_subprocess("--smartcollect-fail-uncalled", *arguments).ret

    assert status("unit") == 0
    assert status("unit", "slow") == 1
    ini("testpaths = unit")
    assert status("unit") == status() == 1
    assert status("slow") == 0


def test_a_handler_that_a_test_registers_need_not_be_called(suite):
    suite.path.joinpath("test_one.py").unlink()
    suite.makepyfile(
        test_two="""
        import app
        from smartswitch import Switcher

        def test_it():
            Switcher("local")(lambda: None)
            app.index(1)
            app.users._methods["delete"]._wrapped(1)
        """
    )
    result = suite.runpytest_subprocess("--smartcollect-fail-uncalled")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("never called:*")


def test_an_application_that_a_fixture_builds(pytester, run):
    pytester.makepyfile(
        """
        import pytest
        from smartswitch import Switcher

        @pytest.fixture(scope="module")
        def api():
            api = Switcher("made")
            @api
            def used(): ...

            @api
            def idle(): ...

            api.used = used
            return api

        @pytest.fixture
        def own():
            api = Switcher("own")

            @api
            def local(): ...

        def test_one(api, own): api.used()
        def test_two(api): api.used()
        """
    )
    result = run("--smartcollect-fail-uncalled")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"{UNCALLED}idle"])


@plain
def test_handlers_called_only_with_or_without_errors(suite, run):
    suite.makepyfile(
        test_three="""
        import pytest
        import app

        def test_wrong():
            with pytest.raises(TypeError):
                app.delete(None)
        """
    )
    run("--smartcollect").stdout.fnmatch_lines(
        ["only called with an error: users.delete", "never called with an error: index"]
    )


def test_repeated_calls_fail_the_run(suite, run):
    line = "repeated: one call to index made 12 calls to users.show; {} or more fail (*test_index)"
    result = run("--smartcollect", "--smartcollect-repeat-threshold=12")
    assert result.ret == 1
    result.stdout.fnmatch_lines([line.format(12)])


def test_repeats_below_the_threshold_are_shown_and_do_not_fail(suite):
    for option in ("--smartcollect-repeat-threshold=13", "--smartcollect"):
        result = suite.runpytest_subprocess(option)
        assert result.ret == 0
        result.stdout.fnmatch_lines(["index *users.show *12 *"])


@plain
def test_a_threshold_below_ten(suite, run):
    suite.makepyfile(
        test_two="""
        import app

        def test_few(): app.index(2)
        def test_more(): app.index(3)
        """
    )
    result = run("--smartcollect-repeat-threshold=3")
    assert result.ret == 1
    limit = "3 or more fail"
    line = f"repeated: one call to index made 3 calls to users.show; {limit} (*::test_more)"
    result.stdout.fnmatch_lines([line])
    result = run("--smartcollect")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("repeated calls*")


@pytest.mark.parametrize(
    ("allowed", "status"),
    [
        ("index > users.show", 0),
        ("shop.* > users.*", 0),
        ("users.show", 0),
        ("users.delete", 1),
        ("users.* > users.show", 1),
        ("users.show > index", 1),
    ],
)
def test_some_repeats_are_allowed(suite, allowed, status):
    option = f"--smartcollect-allow-repeats={allowed}"
    result = suite.runpytest_subprocess("--smartcollect-repeat-threshold=10", option)
    assert result.ret == status
    result.stdout.fnmatch_lines(["index *users.show *12 *"])


@plain
def test_the_advice_for_repeats_with_the_same_arguments(pytester, run):
    pytester.makepyfile(
        """
        from smartswitch import Switcher

        api = Switcher("api")

        @api
        def rate(currency): ...

        @api
        def bill(): [rate("EUR") for _ in range(10)]

        def test_it(): bill()
        """
    )
    run("--smartcollect").stdout.fnmatch_lines(
        ["bill *rate *10 *the same *", "the same arguments: cache the result"]
    )
