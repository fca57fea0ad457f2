"""``--smartcollect-watch``: functions of an application without smartswitch."""

from __future__ import annotations

import json

import pytest
from support import plain, table

APP = {
    "blog/__init__": "",
    "blog/database": """
        import time

        class Connection:
            def execute(self, statement):
                return statement

            def close(self): ...

        def _connect():
            return Connection()
        """,
    "blog/posts": """
        from blog.database import Connection, _connect

        def titles(count):
            connection = _connect()
            return [connection.execute(f"SELECT {number}") for number in range(count)]

        def unused(): ...
        """,
    "blog/late": """
        def late(number):
            return number
        """,
    "blog/legacy": "def old(): ...",
}
TESTS = {
    "conftest": "from blog.database import Connection",
    "test_posts": """
        import pytest
        from blog.posts import titles

        @pytest.mark.parametrize("count", [1, 2, 3])
        def test_titles(count):
            assert len(titles(count)) == count

        def test_many():
            titles(12)
        """,
    "test_late": """
        def test_late():
            from blog.late import late
            assert late(1) == 1
            assert late(2) == 2
        """,
}


@pytest.fixture
def blog(pytester):
    """Write an application without smartswitch and its tests, and return ``pytester``."""
    pytester.mkpydir("blog")
    pytester.makepyfile(**APP, **TESTS)
    pytester.makeini("[pytest]\npythonpath = .")
    return pytester


def calls(result):
    return {row["handler"]: int(row["calls"]) for row in table(result)}


EXPECTED = {"titles": 4, "Connection.execute": 18, "_connect": 4, "late": 2}


def test_the_functions_of_a_package(blog, run):
    result = run("--smartcollect-watch=blog", "--smartcollect-report=report.json")
    result.assert_outcomes(passed=5)
    assert result.ret == 0
    assert calls(result) == EXPECTED
    result.stdout.fnmatch_lines(
        [
            "28 calls to 4 handlers in 5 tests; *",
            "*",
            "never called: Connection.close, unused",
            "never imported: blog.legacy",
        ]
    )
    document = json.loads((blog.path / "report.json").read_text("utf-8"))
    names = {(one["switcher"], one["handler"]) for one in document["handlers"]}
    assert ("blog.database", "Connection.execute") in names


@plain
def test_a_handler_has_one_name_if_a_pattern_matches_its_function_too(pytester, run):
    pytester.makepyfile(
        shop="""
        from smartswitch import Switcher

        orders = Switcher("orders")

        class Orders:
            @orders
            def place(self): ...

            @orders
            def cancel(self): ...

        def helper(): ...
        """,
        test_shop="import shop\ndef test_place(): shop.Orders().place()",
    )
    result = run("--smartcollect-watch=shop", "--smartcollect-report=report.json")
    result.stdout.fnmatch_lines(["never called: cancel, helper"])
    assert calls(result) == {"place": 1}
    document = json.loads((pytester.path / "report.json").read_text("utf-8"))
    assert document["uncalled"] == [
        {"handler": "cancel", "switcher": "orders"},
        {"handler": "helper", "switcher": "shop"},
    ]


def test_repeated_calls_of_functions(blog, run):
    result = run("--smartcollect-watch=blog", "--smartcollect-repeat-threshold=10")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            (
                "repeated: one call to titles made 12 calls to Connection.execute; "
                "10 or more fail (test_posts*"
            )
        ]
    )


def test_patterns_from_the_ini_file_and_the_command_line(blog):
    blog.makeini(
        "[pytest]\npythonpath = .\nsmartcollect_watch =\n  blog\n  !blog.database:_*\n  !blog.late"
    )
    run = blog.runpytest_subprocess
    result = run("--smartcollect")
    assert calls(result) == {"titles": 4, "Connection.execute": 18}
    result = run("--smartcollect-watch=blog.*:Connection.*")
    assert calls(result) == {"Connection.execute": 18}
    result = run("--smartcollect-watch=blog", "--no-smartcollect")
    result.stdout.no_fnmatch_line("*= smartcollect =*")


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_import_modes(blog, mode):
    result = blog.runpytest_subprocess("--smartcollect-watch=blog", f"--import-mode={mode}")
    assert calls(result) == EXPECTED


def test_budgets(blog, run):
    blog.makeini(
        "[pytest]\npythonpath = .\nsmartcollect_watch = blog\n"
        "smartcollect_budgets = blog.database:Connection.* calls<=17\n"
        "smartcollect_test_budgets = blog.posts:titles calls<=0"
    )
    result = run("--smartcollect")
    result.assert_outcomes(passed=1, failed=4)
    result.stdout.fnmatch_lines(["over budget: *Connection.execute*18*17*"])


@plain
def test_a_marker_and_the_fixture_without_a_profile(blog, run):
    blog.makepyfile(
        test_budget="""
        import pytest
        from blog.posts import titles

        @pytest.mark.collect_budget("blog.database:*", calls=3)
        def test_marked():
            titles(4)

        def test_fixture(collect):
            titles(2)
            collect.assert_called("Connection.execute", times=2)
            collect.assert_budget("blog.database:Connection.*", calls=1)
        """
    )
    blog.makeini("[pytest]\npythonpath = .\nsmartcollect_watch = blog")
    result = run("test_budget.py")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*Connection.execute*SELECT 3*"])
    result.stdout.no_fnmatch_line("*= smartcollect =*")


@plain
def test_functions_and_handlers_together(blog, run):
    blog.makepyfile(
        app="""
        from smartswitch import Switcher
        from blog.posts import titles

        api = Switcher("api")

        @api
        def index(count):
            return titles(count)

        api("list")(titles)
        """,
        test_app="""
        import app

        def test_index():
            assert app.index(11)
            assert app.titles(1)
        """,
    )
    result = run("test_app.py", "--smartcollect-watch=blog", "-v")
    assert calls(result) == {"index": 1, "list": 2, "Connection.execute": 12, "_connect": 2}
    assert [*table(result, "under")[0].values()][:3] == ["list", "Connection.execute", "11"]


def test_a_pattern_that_matches_nothing_fails_the_run(blog, run):
    why = "'bolg' matches no imported module; there is no package named 'bolg'"
    result = run("--smartcollect-watch=blog", "--smartcollect-watch=bolg")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"--smartcollect-watch (command line): {why}"])
    # It may match a module that only other tests import.
    result = run("--smartcollect-watch=blog", "--smartcollect-watch=bolg", "-k", "many")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"not judged, since *: --smartcollect-watch (*): {why}"])


@plain
@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (
            "blog.posts.titles",
            "'*' matches no imported module; did you mean 'blog.posts:titles'[?]",
        ),
        ("blog.post", "'blog.post' matches no imported module; did you mean 'blog.posts'[?]"),
        (
            "blog.posts:titels",
            "'blog.posts:titels' matches no function; did you mean 'blog.posts:titles'[?]",
        ),
        ("blog:x", "'blog:x' matches no function"),
        ("math", "'math' matches only functions without Python code: math:acos, *"),
    ],
)
def test_the_reason_why_a_pattern_matches_nothing(blog, run, pattern, why):
    result = run("--smartcollect-watch=blog", f"--smartcollect-watch={pattern}")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"--smartcollect-watch (command line): {why}"])


@pytest.mark.parametrize(
    ("patterns", "why"),
    [
        (["*"], "'[*]' would watch functions of Python*begin with the name of your package*"),
        (["blog/posts.py"], "'blog/posts.py' is not a pattern*"),
        (["!blog"], "'!blog' comes first*"),
        (["@nothing"], "unknown name '@nothing'; choose from @django*"),
        (["@sqlite3"], "@sqlite3 cannot be watched*"),
    ],
)
def test_usage_errors(blog, patterns, why):
    result = blog.runpytest_subprocess(*(f"--smartcollect-watch={one}" for one in patterns))
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: --smartcollect-watch (command line): *{why}"])


def test_a_function_that_is_expensive_to_watch(blog, run):
    blog.makepyfile(
        test_tiny="""
        from blog.late import late

        def test_tiny():
            for number in range(100_000):
                late(number)
        """
    )
    result = run("test_tiny.py", "--smartcollect-watch=blog")
    line = "watching blog.late:late takes about *% * (100,000 calls); * add --*='!blog.late:late'"
    result.stdout.fnmatch_lines([line])


def test_an_unused_plugin_installs_no_import_hook(blog):
    blog.makepyfile(
        test_finders="""
        import sys

        def test_finders():
            assert not [one for one in sys.meta_path if "smartcollect" in type(one).__module__]
            assert "smartcollect" not in sys.modules
        """
    )
    blog.runpytest_subprocess("test_finders.py").assert_outcomes(passed=1)


def test_a_baseline(blog, run):
    run("--smartcollect-watch=blog", "--smartcollect-report=before.json")
    posts = blog.path / "blog" / "posts.py"
    text = posts.read_text("utf-8")
    posts.write_text(text.replace("range(count)", "range(2 * count - count % 2)"), "utf-8")
    options = ("--smartcollect-compare=before.json", "--smartcollect-compare-fail=calls:20%")
    result = run("--smartcollect-watch=blog", *options)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["regression: Connection.execute: calls went from 18 to 3*"])
