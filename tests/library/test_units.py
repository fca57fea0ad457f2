import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcollect.units import duration, instant, seconds, share


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100ms", 0.1),
        (" 1.5 s ", 1.5),
        ("20us", 2e-5),
        ("20µs", 2e-5),
        ("20μs", 2e-5),
        ("3ns", 3e-9),
        ("2min", 120),
        ("0.25", 0.25),
        (".5s", 0.5),
        ("1e-3s", 1e-3),
        (0, 0),
        (2, 2),
        (0.1, 0.1),
    ],
)
def test_seconds(text, value):
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["", "fast", "10 parsecs", "-1ms", "1 2ms", "ms", -1, float("nan"), float("inf")],
)
def test_invalid_durations(text):
    with pytest.raises(ValueError, match="threshold: .* use seconds"):
        seconds(text, "threshold")


@pytest.mark.parametrize("value", [None, True, [], b"1ms"])
def test_durations_of_a_wrong_type(value):
    with pytest.raises(TypeError, match="threshold: .* is not a duration; use seconds"):
        seconds(value, "threshold")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (1e-9, "1.00 ns"),
        (12.34e-6, "12.3 µs"),
        (0.0009996, "1.00 ms"),
        (0.999, "999 ms"),
        (1.0, "1.00 s"),
        (1234, "1,234 s"),
    ],
)
def test_duration(value, text):
    assert duration(value) == text


@given(st.floats(min_value=1e-9, max_value=1e6))
def test_a_printed_duration_can_be_parsed(value):
    assert seconds(duration(value).replace(",", "")) == pytest.approx(value, rel=0.006)


def test_numbers_out_of_range():
    with pytest.raises(ValueError, match="every: 10+ is not finite; use"):
        seconds(10**400, "every")
    with pytest.raises(ValueError, match="every: -1 is negative; use"):
        seconds(-1, "every")
    with pytest.raises(ValueError, match="error_rate: 10+ is not a share"):
        share(10**400, "error_rate")
    with pytest.raises(ValueError, match="since: 10+ is not a time"):
        instant(10**400, "since", now=0.0)
