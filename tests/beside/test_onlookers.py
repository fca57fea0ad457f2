"""For other packages a watched function looks the same as a plain function."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import weakref

import pytest
from smartswitch import Switcher

from smartcollect import collecting

numpy = pytest.importorskip("numpy")
greenlet = pytest.importorskip("greenlet")

EVENTS = sys.version_info >= (3, 12)
events = pytest.mark.skipif(
    not EVENTS, reason="before Python 3.12 the code of a watched function is replaced"
)


def run_script(script, *arguments):
    command = [sys.executable, *arguments, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def api():
    return Switcher("api")


def test_a_returned_queryset_sends_no_query():
    pytest.importorskip("django")
    script = """
        import django
        from django.conf import settings
        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            INSTALLED_APPS=["django.contrib.contenttypes"],
        )
        django.setup()
        from django.contrib.contenttypes.models import ContentType
        from django.db import connection
        from django.test.utils import CaptureQueriesContext
        from smartswitch import Switcher
        from smartcollect import collecting

        api = Switcher("api")

        @api
        def everything(kind):
            return kind.objects.all()

        @api
        def page(rows, one):
            return rows

        with collecting(api, objects="type") as log:
            with CaptureQueriesContext(connection) as queries:
                for _ in range(3):
                    page(everything(ContentType), ContentType())
            print(len(queries), *{call["result"] for call in log.history()})
    """
    assert run_script(script) == ["0", "<QuerySet>"]


@events
def test_an_array_argument_can_be_resized(api):
    @api
    def make():
        array = numpy.zeros(3)
        array.resize(5)
        return array.shape

    @api
    def drop(array):
        reference = weakref.ref(array)
        del array
        return reference()

    with collecting(api, objects="type") as log:
        assert make() == (5,)
        left = drop(numpy.zeros(3))  # a value in an `assert` lives until the end of the statement
        assert left is None
    assert log.stats("drop")["calls"] == 1


@events
def test_an_array_argument_can_be_resized_while_repeats_are_counted(api):
    @api
    def outer():
        return inner(numpy.zeros(3))

    @api
    def inner(array):
        array.resize(9)  # fails if there is another reference, even a weak one
        return array.shape

    bare = outer()
    with collecting(api, objects="type") as log:
        assert outer() == bare == (9,)
    assert log.stats("inner")["calls"] == 1


def test_beartype_of_a_watched_function(api):
    beartype = pytest.importorskip("beartype")

    @api
    def half(n: int) -> int:
        return n // 2

    with collecting(api) as log:
        checked = beartype.beartype(half)
        assert checked(8) == 4
        with pytest.raises(beartype.roar.BeartypeCallHintParamViolation):
            checked("8")
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'n'"):
            half()
    assert log.stats("half")["calls"] == 1


@events
def test_greenlets_have_separate_stacks(api):
    @api
    def first():
        others[1].switch()
        return "first"

    @api
    def second():
        inner()
        others[0].switch()
        return "second"

    @api
    def inner(): ...

    with collecting(api) as log:
        others = [greenlet.greenlet(first), greenlet.greenlet(second)]
        others[0].switch()
        others[1].switch()
    assert [call["result"] for call in log.history()] == [None, "first", "second"]
    stats = log.stats()
    assert stats["first"]["self_time"] == stats["first"]["total_time"]
    assert stats["second"]["self_time"] < stats["second"]["total_time"]


@events
def test_a_greenlet_that_is_dropped_during_a_call(api):
    parent = greenlet.getcurrent()

    @api
    def wait():
        parent.switch()

    @api
    def ping(): ...

    with collecting(api) as log:
        made = greenlet.greenlet(wait)
        made.switch()
        del made
        ping()
    assert [call["handler"] for call in log.history()] == ["wait", "ping"]
    assert log.errors()[0]["exception"]["type"] == "GreenletExit"


@events
def test_gevent_imported_while_functions_are_watched():
    pytest.importorskip("gevent")
    script = """
        import sys
        from smartswitch import Switcher
        from smartcollect import collecting

        api = Switcher("api")
        assert "greenlet" not in sys.modules

        @api
        def work(number):
            import gevent
            gevent.joinall([gevent.spawn(part, n) for n in range(number)], raise_error=True)

        @api
        def part(number):
            import gevent
            gevent.sleep(0.001 * (5 - number))
            return leaf(number)

        @api
        def leaf(number):
            return number

        calls = []
        class Sink:
            def write(self, batch):
                calls.extend(batch.calls)

        with collecting(api) as log:
            subscription = log.subscribe(Sink())
            work(4)
            subscription.close()
        ids = {call["id"]: call for call in calls if call["id"] is not None}
        for call in calls:
            if call["handler"] == "leaf":
                print(ids[call["parent"]]["args"] == call["args"])
    """
    assert run_script(script) == ["True"] * 4


@events
@pytest.mark.parametrize("core", ["ctrace", "sysmon"])
@pytest.mark.parametrize("branch", [False, True])
def test_each_core_of_coverage(tmp_path, core, branch):
    pytest.importorskip("coverage")
    (tmp_path / "app.py").write_text(
        textwrap.dedent(
            """
            from smartswitch import Switcher
            from smartcollect import collecting
            api = Switcher("api")

            @api
            def sign(number):
                if number < 0:
                    return -1
                return 1

            def pairs(count):
                for number in range(count):
                    yield number, sign(number)

            api("pairs")(pairs)
            with collecting(api) as log:
                assert len(list(pairs(3))) == 3
            assert log.stats("sign")["calls"] == 3
            assert log.stats("pairs")["calls"] == 1
            """
        )
    )
    command = [sys.executable, "-m", "coverage", "run", *(["--branch"] if branch else []), "app.py"]
    environment = {"COVERAGE_CORE": core, "PATH": "", "COVERAGE_FILE": str(tmp_path / "data")}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    report = subprocess.run(
        [sys.executable, "-m", "coverage", "report", "-m"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    ).stdout
    line = next(line for line in report.splitlines() if line.startswith("app.py"))
    assert line.split()[2] == "1", report  # `return -1`
