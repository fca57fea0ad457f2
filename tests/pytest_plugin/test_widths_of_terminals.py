"""Widths of the summary, on a terminal and in a log."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from wcwidth import wcswidth

fcntl = pytest.importorskip("fcntl", reason="needs pseudo-terminals")
pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")

SUITE = """
    import pytest
    from smartswitch import Switcher

    orders = Switcher("a_switcher_with_a_long_name")
    others = Switcher("others")

    @orders
    def a_handler_of_a_name_that_is_longer_than_a_column(connection, days, note=""):
        for _ in range(days):
            用户_orders(connection, 用户="a👍🏽b")

    @orders
    def 用户_orders(connection, 用户):
        pass

    @others
    def refuse(reason):
        raise ValueError(f"e\\u0301 🇩🇪 用户 {reason}" * 3)

    @pytest.mark.parametrize("case", ["a-parameter-that-is-" + "long-" * 12])
    def test_with_a_name_that_does_not_fit_into_a_column_of_eighty_cells(case):
        a_handler_of_a_name_that_is_longer_than_a_column(object(), 12, "👨‍👩‍👧" * 4)
        with pytest.raises(ValueError):
            refuse("用户" * 6)
    """
INI = """
    [pytest]
    smartcollect_budgets =
        a_handler_of_a_name_that_is_longer_than_a_column calls<=0
    """
COLOUR = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture(autouse=True)
def wide(pytester, monkeypatch):
    """Write a suite with wide names and values, and unset widths and colours."""
    pytester.makepyfile(SUITE)
    pytester.makeini(INI)
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")


def command(*args):
    return [sys.executable, "-m", "pytest", "--smartcollect", "-p", "no:cacheprovider", *args]


def on_a_terminal(columns, *args):
    """Run pytest on a terminal with that many columns, and return the lines of the summary."""
    outer, inner = pty.openpty()
    size = columns.to_bytes(2, sys.byteorder)
    fcntl.ioctl(inner, termios.TIOCSWINSZ, (24).to_bytes(2, sys.byteorder) + size + bytes(4))
    # Passed explicitly, because readline sets COLUMNS in the environment of this process, but not
    # in `os.environ`.
    env = dict(os.environ)
    running = subprocess.Popen(command(*args), stdin=inner, stdout=inner, stderr=inner, env=env)
    os.close(inner)
    sent = b""
    while True:
        try:
            some = os.read(outer, 65536)
        except OSError:  # the end of the output, on Linux
            break
        if not some:
            break
        sent += some
    os.close(outer)
    assert running.wait() == 1
    return summary(sent.decode())


def in_a_log(*args, **env):
    """Run pytest with the output in a file, and return the lines of the summary."""
    ended = subprocess.run(
        command(*args), stdout=subprocess.PIPE, env={**os.environ, **env}, check=False
    )
    return summary(ended.stdout.decode())


def summary(text):
    lines = text.replace("\r\n", "\n").splitlines()
    first = next(number for number, line in enumerate(lines) if "= smartcollect =" in line)
    return lines[first + 1 : -1]


def widest(lines):
    return max(wcswidth(COLOUR.sub("", line)) for line in lines)


@pytest.mark.parametrize(
    ("columns", "xdist"), [(80, ()), (100, ("-n1",)), (200, ())], ids=["80", "100-n1", "200"]
)
def test_no_line_is_wider_than_the_terminal(columns, xdist):
    lines = on_a_terminal(columns, *xdist)
    assert min(columns, 130) - 20 < widest(lines) <= columns
    plain = [COLOUR.sub("", line) for line in lines]
    text = "\n".join(plain)
    assert ("… not shown: " in text) is (columns < 200)
    assert re.search(r"…\S*long-\]", text)


def test_at_least_80_columns_are_used():
    assert 60 < widest(on_a_terminal(40)) <= 80


def test_a_log_has_120_columns_without_a_setting():
    assert 100 < widest(in_a_log()) <= 120
    assert 80 < widest(in_a_log(COLUMNS="90")) <= 90
    assert 60 < widest(in_a_log("--smartcollect-sort=steady", COLUMNS="80")) <= 80


def test_verbose_cuts_nothing():
    lines = on_a_terminal(80, "-v")
    text = COLOUR.sub("", "\n".join(lines))
    assert "…" not in text
    assert f"{'long-' * 12}]" in text
    assert "connection=<object>, days=12" in text
    assert "steady" in text


def test_colours():
    lines = on_a_terminal(100)
    assert lines[0].startswith("\x1b[31m\x1b[1m1 failure: over budget: ")
    rows = [line for line in lines if "a_handler" in line and line.endswith("\x1b[0m")]
    # The first row is over budget, the second is in the table of repeated calls.
    assert [row[:5] for row in rows if "  " in row][:2] == ["\x1b[31m", "\x1b[33m"]
    plain = on_a_terminal(100, "--color=no")
    assert not any("\x1b" in line for line in plain)


def test_the_sort_column_is_never_dropped():
    (head,) = [
        line
        for line in in_a_log("--smartcollect-sort=steady", COLUMNS="80")
        if line.startswith("handler  ") and "total" in line
    ]
    assert head.endswith("steady")
    assert "max" not in head
