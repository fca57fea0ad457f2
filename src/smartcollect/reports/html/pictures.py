"""Histograms and trend lines as SVG. The style sheet of the page defines their colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise

from ...storage.histogram import middle_of
from ...text import plural
from ...units import duration

_WIDTH, _TOP, _BOTTOM, _MARGIN = 600, 18, 100, 44
"""The width of a picture, the top and bottom of its plot, and the margins beside the plot."""
_INSIDE = _WIDTH - 2 * _MARGIN
_BARS = 30
_WIDTHS = 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0
"""The possible widths of a bar, in powers of two."""
_SHORTEST = 1e-9
_BOX = "0 0 100 100"
_BAR = 60
"""The length of the longest bar, in pixels."""
_TICKS = 7


def histogram(calls: Mapping[int, int], marks: Mapping[str, float]) -> str:
    """Return a histogram of the times of calls, on a logarithmic scale.

    Args:
        calls: the number of calls in each bucket of `bucket_of`; one bucket or more.
        marks: times to mark, in seconds, by name; at most two, the shorter one first.

    Example:
        >>> "3 calls" in histogram({0: 3}, {})
        True
    """
    logs = {bucket: math.log2(max(middle_of(bucket), _SHORTEST)) for bucket in calls}
    low, high = min(logs.values()), max(logs.values())
    width = next((one for one in _WIDTHS if high - low < one * (_BARS - 3)), (high - low) / _BARS)
    first = math.floor(low / width) - 1
    bars = [0] * max(12, math.floor(high / width) - first + 2)
    for bucket, number in calls.items():
        bars[math.floor(logs[bucket] / width) - first] += number
    most, step = max(bars), _INSIDE / len(bars)

    def across(time: float) -> float:
        return _MARGIN + (math.log2(max(time, _SHORTEST)) / width - first) * step

    path, last = "", 0
    for place, number in enumerate(bars):
        # At least two pixels, so that a single call among thousands is visible.
        height = round(number and max(2.0, (_BOTTOM - _TOP) * number / most))
        if height != last:
            path += f"H{_MARGIN + place * step:.0f}V{_BOTTOM - height}"
        last = height
    path += f"H{_WIDTH - _MARGIN}V{_BOTTOM}"
    ends = 2 ** (first * width), 2 ** ((first + len(bars)) * width)
    texts = [f"{name} {duration(time)}" for name, time in marks.items()]
    title = ", ".join([f"{plural(sum(calls.values()), 'call')} by duration", *texts])
    axis = _axis([(across(time), _label(time)) for time in ticks(*ends)])
    placed = [(across(time), text) for time, text in zip(marks.values(), texts, strict=True)]
    return _picture(
        title, f'<path class=bars d="M{_MARGIN} {_BOTTOM}{path}"/>{axis}{_marked(placed)}'
    )


def ticks(low: float, high: float) -> list[float]:
    """Return round times between two times, for a logarithmic scale. Times are in seconds.

    Example:
        >>> ticks(0.0009, 0.03)
        [0.001, 0.002, 0.005, 0.01, 0.02]
        >>> ticks(0.00009, 3.0)
        [0.0001, 0.001, 0.01, 0.1, 1.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [float(f"{digit}e{power}") for power in powers for digit in digits[:]]
        found = [time for time in found if low <= time <= high]
        if len(found) <= _TICKS:
            return found
    return found[:: math.ceil(len(found) / _TICKS)]


def _label(time: float) -> str:
    """Return a time as text, without trailing zeros."""
    number, unit = duration(time).split()
    return f"{float(number.replace(',', '')):g} {unit}"


def _axis(labels: Sequence[tuple[float, str]]) -> str:
    lines = "".join(f"M{x:.0f} {_BOTTOM}v4" for x, _ in labels)
    texts = "".join(f"<text x={x:.0f} y={_BOTTOM + 16}>{text}</text>" for x, text in labels)
    return f'<path class=axis d="M{_MARGIN} {_BOTTOM}h{_INSIDE}{lines}"/>{texts}'


def _marked(marks: Sequence[tuple[float, str]]) -> str:
    """Return lines with their texts on the outer sides, so that the texts do not overlap."""
    lines = texts = ""
    for (x, text), anchor in zip(marks, ("end", "start"), strict=False):
        # If there is no room on that side, the text is aligned with the edge of the picture.
        if anchor == "end" and x < 8 * len(text):
            at, anchor = 2.0, "start"
        elif anchor == "start" and _WIDTH - x < 8 * len(text):
            at, anchor = _WIDTH - 2.0, "end"
        else:
            at = x - 3 if anchor == "end" else x + 3
        lines += f"M{x:.0f} {_TOP - 4}V{_BOTTOM}"
        texts += f"<text class={anchor} x={at:.0f} y={_TOP - 6}>{text}</text>"
    return f'<path class=mark d="{lines}"/>{texts}' if marks else ""


def trend(values: Sequence[float], steps: Sequence[int], labels: tuple[str, str], line: str) -> str:
    """Return a picture of a time over several runs.

    Args:
        values: the time in each run in seconds, NaN for runs without one. Not all may be NaN.
        steps: the indexes of the runs in which the time changed for good.
        labels: the labels of the first and the last run. They are not escaped.
        line: the id of the line, which `sparkline` draws.

    Example:
        >>> "from 1.00 s to 2.00 s" in trend([1.0, 2.0], [], ("yesterday", "today"), "t0")
        True
    """
    across = _across(len(values))
    right, scale = _WIDTH - _MARGIN, f"{_INSIDE / 100} 0 0 {(_BOTTOM - _TOP) / 100}"
    stepped = "".join(f"M{_MARGIN + _INSIDE * across[run] / 100:.0f} {_TOP}V100" for run in steps)
    return _picture(
        _course(values),
        f'<path class=axis d="M{_MARGIN} {_BOTTOM}h{_INSIDE}M{_MARGIN} {_TOP}h{_INSIDE}"/>'
        f"<text class=end x={_MARGIN - 5} y={_TOP + 4}>{_label(_largest(values))}</text>"
        f"<text class=start x={_MARGIN} y={_BOTTOM + 16}>{labels[0]}</text>"
        f"<text class=end x={right} y={_BOTTOM + 16}>{labels[1]}</text>"
        + (f'<path class=step d="{stepped}"/>' if stepped else "")
        + f'<use href="#{line}" transform="matrix({scale} {_MARGIN} {_TOP})"/>',
    )


def sparkline(values: Sequence[float], id: str) -> str:
    """Return a small picture of a time over several runs, for a table.

    Args:
        values: the time in each run in seconds, NaN for runs without one. Not all may be NaN.
        id: the id of the line, by which `trend` shows the same line.

    Example:
        >>> sparkline([1.0, 2.0], "t0").count("M")
        1
    """
    points = zip(_across(len(values)), values, strict=True)
    line = _line(points, 96 / _largest(values))
    return (
        f'<svg class=spark viewBox="{_BOX}" preserveAspectRatio=none role=img '
        f'aria-label="{_course(values)}"><path class=line id={id} d="{line}"/></svg>'
    )


def bar(share: float) -> str:
    """Return a bar to show beside a number; ``""`` if it would be too short to see.

    Args:
        share: the ratio of the number to the largest one, from 0 to 1.

    Example:
        >>> bar(0.5)
        '<svg class=bar aria-hidden=true><path d="M0 2h30"/></svg>'
    """
    length = round(_BAR * share)
    return f'<svg class=bar aria-hidden=true><path d="M0 2h{length}"/></svg>' if length else ""


def _picture(title: str, drawn: str) -> str:
    """Return a picture with a title, which screen readers read."""
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_BOTTOM + 22}" role=img><title>{title}</title>{drawn}</svg>'
    )


def _line(values: Iterable[tuple[float, float]], scale: float) -> str:
    """Return the path through points, with gaps where values are NaN."""
    parts = []
    for known, part in groupby(values, lambda point: not math.isnan(point[1])):
        if known:
            points = [(round(x), round(100 - scale * y)) for x, y in part]
            moves = [(x - left, y - above) for (left, above), (x, y) in pairwise(points)]
            # Lines have round ends, so a line without length is a dot.
            path = " ".join(f"{x} {y}" for x, y in moves or [(0, 0)]).replace(" -", "-")
            parts.append("M{} {}l{}".format(*points[0], path))
    return "".join(parts)


def _largest(values: Sequence[float]) -> float:
    return max(value for value in values if not math.isnan(value)) or _SHORTEST


def _across(number: int) -> list[float]:
    """Return ``number`` positions from 0 to 100 at equal distances; a single one is at 50."""
    return [100 * place / (number - 1) for place in range(number)] if number > 1 else [50.0]


def _course(values: Sequence[float]) -> str:
    known = [value for value in values if not math.isnan(value)]
    ends = f"from {duration(known[0])} to {duration(known[-1])}"
    return f"steady time in {plural(len(values), 'run')}: {ends}"
