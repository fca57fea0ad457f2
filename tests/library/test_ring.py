from __future__ import annotations

import heapq

from hypothesis import given
from hypothesis import strategies as st

from smartcollect.names import HandlerName
from smartcollect.storage.histogram import doubles
from smartcollect.storage.ring import Columns, Ring
from smartcollect.storage.rows import ELAPSED, START, Call, Details

NAME = HandlerName("api", "a")


@given(
    st.integers(0, 700),
    st.lists(
        st.tuples(
            st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]), min_size=1, max_size=300),
            st.sampled_from([None, tuple(Details(0.1, task="main"))]),
        )
    ),
    st.integers(0, 20),
    st.integers(0, 700),
)
def test_a_ring_is_the_end_of_a_list(max_history, batches, n, smaller):
    ring, rows = Ring(max_history), []
    for batch, details in batches:
        added = [
            tuple(Call(NAME, float(len(rows) + index), elapsed, (index,), {}, index, 7, details))
            for index, elapsed in enumerate(batch)
        ]
        columns = [list(column) for column in zip(*added, strict=True)]
        start, taken = doubles(columns[START]), doubles(columns[ELAPSED])
        ring.extend(Columns(columns, start, taken, max(batch), to_wall=-5.0))
        rows += [(*row[:START], row[START] - 5.0, *row[START + 1 :]) for row in added]
        kept = rows[len(rows) - min(max_history, len(rows)) :]
        assert list(ring.rows()) == kept
        starts = [row[START] for row in ring.rows(monotonic=True)]
        assert starts == [row[START] + 5.0 for row in kept]
        assert list(ring.rows(0.5)) == [row for row in kept if row[ELAPSED] >= 0.5]
        slowest = heapq.nlargest(n, kept, key=lambda row: row[ELAPSED])
        assert heapq.nlargest(n, ring.rows(ring.bound(n)), key=lambda row: row[ELAPSED]) == slowest
    ring.resize(smaller)
    assert list(ring.rows()) == rows[len(rows) - min(max_history, smaller, len(rows)) :]
