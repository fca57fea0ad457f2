"""Tables fit their width, and every cut is marked."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from wcwidth import wcswidth

from smartcollect.reports.columns import column, fitted
from smartcollect.reports.summary import Section
from smartcollect.reports.tables import drawn
from smartcollect.reports.terminal import lines
from smartcollect.reports.widths import padded, shortened, shortened_inside, width, wrapped
from smartcollect.text import one_line, printable

pytestmark = pytest.mark.once

FAMILY = "👨\u200d👩\u200d👧"
WIDE = [
    "用户",
    "é",
    "e\u0301",
    "🎉",
    FAMILY,
    "👍🏽",
    "🇩🇪",
    "✈️",
    "नि",
    "a",
    "b",
    " ",
    ".",
    "::",
    "/",
]
texts = st.lists(st.sampled_from(WIDE), max_size=40).map("".join) | st.text(max_size=40).map(
    printable
)
tables = st.lists(
    st.fixed_dictionaries(
        dict.fromkeys(("handler", "calls", "total", "message", "test", "raised"), texts)
    ),
    min_size=1,
    max_size=5,
)


@given(texts, st.integers(1, 60))
@pytest.mark.parametrize("shorten", [shortened, shortened_inside])
def test_a_shortened_text_fits_and_has_a_mark(shorten, text, cells):
    short = shorten(text, cells)
    assert width(short) <= cells
    if width(text) <= cells:
        assert short == text
    else:
        assert "…" in short


@given(texts)
def test_width_agrees_with_wcwidth(text):
    assume("\u200d" not in text.replace(FAMILY, ""))
    assert width(text) == max(wcswidth(text), 0)


@pytest.mark.parametrize("shorten", [shortened, shortened_inside])
def test_characters_that_belong_together_are_not_split(shorten):
    for whole in (FAMILY, "e\u0301", "👍🏽", "🇩🇪", "नि"):
        for cells in range(1, 12):
            parts = shorten(whole * 10, cells).split("…")
            assert all(part == whole * part.count(whole) for part in parts)


def test_a_node_id_is_shortened_in_the_middle_and_its_file_stays():
    test = "tests/test_orders.py::TestReports::test_report_of_ten_years[sqlite]"
    assert shortened_inside(test, 40) == "tests/test_orders.py::…ten_years[sqlite]"
    assert shortened_inside(test, 22) == "tests/t…_years[sqlite]"


@given(texts, st.integers(3, 60))
def test_wrapped_lines_lose_nothing(text, cells):
    got = list(wrapped(text, cells))
    assert all(width(line) <= cells for line in got)
    assert "".join("".join(got).split()) == "".join(text.split())


@given(tables, st.integers(1, 200))
def test_no_line_of_a_table_is_wider_than_its_room(rows, room):
    table = drawn(rows, room)
    assert len(table.rows) == len(rows)
    assert all(width(line) <= room for line in (*table.head, *table.rows))


@given(tables, st.integers(80, 200))
def test_every_cut_in_a_table_is_marked(rows, room):
    table = drawn(rows, room)
    for row, line in zip(rows, table.rows, strict=True):
        for heading, cell in row.items():
            text = one_line(cell).strip()
            assert text in line or "…" in line or heading in table.left_out


@given(tables)
def test_whole_tables_cut_nothing(rows):
    (_, _, *shown) = lines([Section(rows=rows)], 80, whole=True)
    for row, line in zip(rows, shown, strict=True):
        assert all(cell.strip() in line.text for cell in row.values())


@given(
    st.lists(
        st.tuples(texts.filter(bool), st.integers(1, 90)), min_size=1, unique_by=lambda one: one[0]
    ),
    st.integers(1, 200),
)
def test_columns_fit_and_the_first_column_stays(widths, room):
    fit = fitted(widths, room)
    assert sum(fit.values()) + 2 * (len(fit) - 1) <= room
    assert next(iter(fit)) == widths[0][0]
    assert all(size <= dict(widths)[heading] for heading, size in fit.items())


def test_texts_are_shortened_before_columns_are_left_out_from_the_right():
    widths = [("handler", 40), ("calls", 5), ("total", 7), ("max", 7)]
    assert fitted(widths, 65) == dict(widths)
    assert fitted(widths, 60) == {**dict(widths), "handler": 35}
    assert fitted(widths, 50) == {"handler": 34, "calls": 5, "total": 7}
    assert fitted(widths, 50, kept=["max"]) == {"handler": 34, "calls": 5, "max": 7}
    assert fitted(widths, 10) == {"handler": 10}
    assert not column("calls").least


def test_columns_that_are_left_out_are_listed():
    rows = [{"handler": "h" * 28, **dict.fromkeys(["calls", "total", "self", "max"], "1" * 16)}]
    said = [line.text for line in lines([Section(rows=rows)], 80)]
    assert said[-1] == "… not shown: self, max; -v shows all"
    assert all(len(line) <= 80 for line in said)
    assert "max" in next(lines([Section(rows=rows)], 80, whole=True)).text


def test_wide_characters_stay_aligned():
    rows = [{"handler": name, "calls": "1"} for name in ("用户", FAMILY, "e\u0301", "plain")]
    assert {width(line) for line in drawn(rows).rows} == {len("handler  calls")}
    assert padded("用户", 6) == "用户  "


@pytest.mark.parametrize("encoding", ["ascii", "cp866", "utf-8"])
def test_characters_are_replaced_before_columns_are_measured(encoding):
    rows = [
        {"handler": "用户" * 30, "share": "50 % ██▌", "total": "3 µs"},
        {"handler": "a", "share": "2 %", "total": "10 µs"},
    ]
    said = [line.text for line in lines([Section(rows=rows)], 60, encoding=encoding)]
    for line in said:
        line.encode(encoding)
    assert {width(line) for line in said} == {60}
