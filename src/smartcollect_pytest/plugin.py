"""The hooks and the ``collect`` fixture. Every pytest run loads this module: keep imports few."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from . import marker, options

if TYPE_CHECKING:
    from smartcollect import CallLog

    from .capture import Capture
    from .options import Options

OPTIONS = pytest.StashKey[options.Options]()
FIXTURE_HISTORY = 10_000
"""Length of the history of the ``collect`` fixture, in calls."""


@pytest.hookimpl
def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


@pytest.hookimpl
def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from . import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", marker.signature(whole=bool(config.option.markers)))
    given = config.stash[OPTIONS] = options.read(config)
    if not given.active:
        return
    from .capture import Capture

    capture = Capture(given.repeat_threshold, given.objects, given.watch)
    config.add_cleanup(capture.end)
    budgets = BudgetHooks(capture, given)
    config.pluginmanager.register(budgets, "smartcollect-budgets")
    if given.profile:
        from .profiler import Profiler

        # Registered last, so that its wrappers run around the budgets: budgets have to be checked
        # before the profiler takes the calls of the phase.
        profiler = Profiler(config, capture, given)
        config.pluginmanager.register(profiler, "smartcollect-profiler")


class BudgetHooks:
    """Hooks that check the budgets of each test."""

    def __init__(self, capture: Capture, given: Options) -> None:
        self._capture = capture
        self._options = given

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        # A wrong marker fails the test before its fixtures run.
        _marked(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        ranks = _marked(item)
        if not ranks and not self._options.test_budgets:
            return (yield)
        capture = self._capture
        if not capture.begun:
            # Watch until the end of the run, because starting takes milliseconds.
            capture.begin()
        elif not self._options.profile:
            capture.discard()
        capture.keep(True)
        try:
            result = yield
            failure = marker.failure(ranks, self._options.test_budgets, *capture.so_far())
        finally:
            capture.keep(False)
        if failure is not None:
            pytest.fail(failure, pytrace=False)
        return result


def _marked(item: pytest.Item) -> Sequence[Any]:
    if item.get_closest_marker(marker.NAME) is None:
        return ()
    try:
        return marker.budgets_of(item)
    except ValueError as error:
        refused = str(error)
    # Outside the `except`, because pytest would print both exceptions.
    pytest.fail(refused, pytrace=False)


@pytest.fixture
def collect(request: pytest.FixtureRequest) -> Iterator[CallLog]:
    """Record all calls of handlers, and of functions in ``smartcollect_watch``, in this test.

    Return a log to query and to assert on. Recording starts when the fixture is set up, and works
    with and without ``--smartcollect``::

        def test_an_order(db, collect):
            api["orders.place"](db, 1, {7: 2})
            collect.assert_called("products.get", times=1)
    """
    from smartcollect import collecting

    given = request.config.stash[OPTIONS]
    with collecting(max_history=FIXTURE_HISTORY, call_sites=True, objects=given.objects) as log:
        if not given.watch:
            yield log
            return
        from smartcollect.sources.functions import watching

        with watching(log.recorder, given.watch):
            yield log
