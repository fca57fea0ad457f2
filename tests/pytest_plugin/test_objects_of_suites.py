"""Recording must not run code of the application, such as `__repr__`."""

from __future__ import annotations

import pytest
from support import plain

SUITE = """
import pytest
from smartswitch import Switcher

api = Switcher("shop")
RAN = []

class Query:
    def __repr__(self):
        RAN.append("repr")
        return "the query"
    __len__ = __iter__ = __str__ = __bool__ = __repr__

class Missing(Exception):
    def __str__(self):
        RAN.append("str")
        return "the message"

@api
def find(query):
    return query

@api
def fail(query):
    raise Missing(query)

@api
def find_all(query):
    for _ in range(12):
        find(query)

@pytest.mark.collect_budget("find", calls=20)
def test_bare():
    query = Query()
    find(query)
    find_all(query)
    with pytest.raises(Missing):
        fail(query)
    assert RAN == []

def test_fixture(collect):
    find(Query())
    with pytest.raises(AssertionError) as failed:
        collect.assert_not_called("find")
    assert RAN == []
    assert "<Query>" in failed.value.args[0]
"""


@pytest.mark.parametrize("options", [(), ("--smartcollect",)], ids=["unprofiled", "profiled"])
def test_no_repr_of_the_application_runs(pytester, run, options):
    pytester.makepyfile(SUITE)
    result = run(*options)
    result.assert_outcomes(passed=2)
    if options:
        result.stdout.fnmatch_lines(["*find*<Query>*", "fail *Missing*<Query>*"])
        result.stdout.fnmatch_lines(["find_all *find *12*the same*"])


@plain
def test_repr_on_request(pytester, run):
    pytester.makepyfile(SUITE)
    pytester.makeini("[pytest]\nsmartcollect_objects = repr")
    result = run("--smartcollect")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*find*the query*", "fail *Missing*the message*"])
    result = run("--smartcollect", "--smartcollect-objects=type")
    result.assert_outcomes(passed=2)


@plain
def test_an_unknown_value_is_a_usage_error(pytester, run):
    result = run("--smartcollect-objects=str")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --smartcollect-objects (command line): 'str' is not accepted; use 'repr' *"]
    )
