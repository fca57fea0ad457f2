"""Report files: reading returns what was written, and edited files are read like any JSON."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcollect import HandlerName, Profile, merge
from smartcollect.profiles import Phase, Usage, load
from smartcollect.profiles.lines import Phases, take
from smartcollect.reports.report_file import report

texts = st.text(max_size=8) | st.sampled_from(
    ["", '"', "\\", "\n", "\x1f", "\x7f", "é", "🙂", "]}"]
)
times = st.floats(0, 1e12) | st.sampled_from([0.0, 1.0, 1e-7, 5e-324, 1e12, 123456789.25])
usages = st.builds(Usage, st.integers(0, 2**63 - 1), st.integers(0, 9), times)
used = st.dictionaries(st.builds(HandlerName, texts, texts), usages, max_size=3)
phases = st.builds(Phase, texts, times, used.map(MappingProxyType))
tests = st.dictionaries(
    texts, st.dictionaries(texts, phases, max_size=3).map(MappingProxyType), max_size=4
)


def profile_of(tests):
    return Profile(tests=MappingProxyType(tests))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("reports") / "report.json"


def written(path, profile):
    path.write_text("".join(report(profile)), "utf-8", newline="")
    return path


@given(tests)
def test_a_report_loads_as_the_profile_that_was_written(path, tests):
    profile = profile_of(tests)
    again = load(written(path, profile))
    assert again == profile
    assert again.to_dict() == profile.to_dict()
    assert "".join(report(again)) == path.read_text("utf-8")
    assert len(again.tests) == len(tests)
    assert merge([again, again]) == merge([profile, profile])


def test_the_tests_of_a_report_are_parsed_lazily(path):
    phase = Phase("passed", 0.5, MappingProxyType({HandlerName("a", "b"): Usage(1, 0, 1e-7)}))
    phases = MappingProxyType({"setup": phase, "call": phase._replace(duration=0.0)})
    profile = load(written(path, profile_of({'test_it["\\u0001"]': phases, "test_that": phases})))
    assert {type(one) for one in profile.tests.values()} == {Phases}
    assert repr(profile.tests["test_that"]) == repr(phases)


@pytest.mark.parametrize("value", ["nan", "\ud800"])
def test_values_that_json_lacks_are_written_as_text(path, value):
    phase = Phase("passed", float("nan") if value == "nan" else 0.5, MappingProxyType({}))
    text = "".join(report(profile_of({value: MappingProxyType({"call": phase})})))
    assert (
        json.loads(text)["tests"][0]["test"] == value.encode("utf-8", "backslashreplace").decode()
    )


SMALL = "".join(
    report(
        profile_of(
            {
                name: {
                    when: Phase("passed", 0.25, {HandlerName("a", "b"): Usage(1, 0, 1e-7)})
                    for when in ("setup", "call")
                }
                for name in ("one", 'the "other"')
            }
        )
    )
)
PIECES = [
    *('"', "\\", ",", "\n", "]", "}", "{", "[", " ", "0", "-", ".", "00", "1e9", "e-400", "9" * 19),
    *("null", "true", "NaN", "é", "\x01", "\ufeff", "\\ud800", '"handlers": []', '"tests": [\n'),
    *("\n],\n", '\n"tests": [\n]', '"x": {\n"tests": [\n],\n"y": 1},'),
]


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, len(SMALL)), st.integers(0, 30), st.sampled_from(["", *PIECES])),
        min_size=1,
        max_size=3,
    )
)
def test_an_edited_report_is_read_like_any_json(path, edits):
    text = SMALL
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length :]
    path.write_text(text, "utf-8", newline="")
    try:
        wanted = Profile.from_dict(json.loads(text.removeprefix("\ufeff")))
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            load(path)
    else:
        found = load(path)
        assert found == wanted
        assert found.to_dict() == wanted.to_dict()


@pytest.mark.parametrize(
    "nested",
    [
        '{"x": {\n"tests": [\n' + SMALL.partition('"tests": [\n')[2].partition("\n]")[0] + "\n]},",
        '{\n"tests": [\n' + SMALL.partition('"tests": [\n')[2].partition("\n]")[0] + "\n],",
    ],
    ids=["elsewhere", "twice"],
)
def test_lines_that_only_look_like_the_tests_of_the_report(path, nested):
    text = nested + SMALL[1:].replace('"one"', '"two"')
    assert take(text) is not None
    path.write_text(text, "utf-8")
    assert set(load(path).tests) == {"two", 'the "other"'}


LINES = SMALL.partition('"tests": ')[2].partition("\n]")[0] + "\n]"


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace(f"{LINES}", f'{LINES},\n"tests": null'),
        SMALL.replace(LINES, "null").replace(
            '"run": null', f'"run": null, "x": {{\n"tests": {LINES}\n}}'
        ),
        SMALL.replace('"run": null', f'"run": {{\n"tests": {LINES}\n}}'),
        SMALL.replace('"run": null', '"run": null, "x": NaN'),
    ],
    ids=["null at last", "elsewhere", "in the run", "no number"],
)
def test_a_damaged_report_with_intact_lines_of_tests_is_rejected(path, text):
    assert text != SMALL
    assert take(text) is not None
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"damaged|is not a valid number"):
        load(path)


def test_a_byte_order_mark_is_ignored(path):
    path.write_text(SMALL, "utf-8-sig")
    assert set(load(path).tests) == {"one", 'the "other"'}


def test_an_error_names_the_line_in_the_file(path):
    lines = SMALL.splitlines()
    path.write_text("\n".join([*lines[:-2], "oops", "}"]), "utf-8")
    with pytest.raises(ValueError, match=f"line {len(lines) - 1} column"):
        load(path)


def test_a_report_of_another_writer(path):
    path.write_text(json.dumps(json.loads(SMALL), indent=0), "utf-8")
    assert set(load(path).tests) == {"one", 'the "other"'}
