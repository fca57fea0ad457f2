"""Values and stacks of other packages."""

from __future__ import annotations

import json

import pytest
from smartswitch import Switcher

from smartcollect import collecting
from smartcollect.values.snapshot import MAX_TEXT

# At the top, because numpy can be imported only once.
numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
greenlet = pytest.importorskip("greenlet")


class Refused(Exception):
    pass


SMALL = 3 * MAX_TEXT


@pytest.fixture
def api():
    sw = Switcher("api")

    @sw
    def give(value):
        return value

    @sw
    def fail(value):
        raise Refused(value)

    return sw


def goes_through(api, value, tmp_path):
    with collecting(api) as log:
        assert api["give"](value) is value
        assert api["give"]([value, {"key": value}])[0] is value
        with pytest.raises(Refused):
            api["fail"](value)
    assert log.stats("give")["calls"] == 2
    log.export(tmp_path / "log.jsonl")
    lines = (tmp_path / "log.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 3
    assert all(len(json.loads(line)["args"]) == 1 for line in lines)
    assert sum(map(len, lines)) < 12 * SMALL
    with pytest.raises(AssertionError, match="give was called 2 times"):
        log.assert_not_called("give")


def test_numpy(api, tmp_path):
    for value in (
        numpy.zeros((2_000, 2_000)),
        numpy.array([1, 2]),
        numpy.float64("nan"),
        numpy.int64(7),
        numpy.bool_(True),
        numpy.array(["\x1b[31m"], dtype=object),
        numpy.array([{"password": "hunter2"}], dtype=object)[:0],
    ):
        goes_through(api, value, tmp_path)


def test_pandas(api, tmp_path):
    frame = pandas.DataFrame({"a": range(100_000), "b": ["text"] * 100_000})
    for value in (frame, frame["a"], frame.index, pandas.Timestamp(0), pandas.NaT, pandas.NA):
        goes_through(api, value, tmp_path)


def test_greenlets_do_not_mix(api):

    @api
    def outer(other):
        other.switch()
        return api["give"](1)

    with collecting(api) as log:
        second = greenlet.greenlet(lambda: [api["give"](2), main.switch(), api["give"](3)])
        main = greenlet.getcurrent()
        outer(second)
        second.switch()
    assert log.stats("give")["calls"] == 3
    taken, own = log.stats("outer")["total_time"], log.stats("outer")["self_time"]
    mine = [call["elapsed"] for call in log.history(handler="give") if call["args"] == (1,)]
    assert taken - own == pytest.approx(mine[0])
