"""Terminals with other encodings: characters they lack are replaced, line ends are kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

CLOCK = """
    import itertools, time
    from smartcollect import clock

    ticks = itertools.count()
    clock.SYSTEM = clock.Clock(lambda: next(ticks) * 5e-6, time.time)
    """
SUITE = """
    import pytest
    from smartswitch import Switcher

    api = Switcher("api")

    @api
    def work(text):
        raise ValueError("größer als 用户")

    @api
    def idle(text): ...

    def test_it():
        with pytest.raises(ValueError):
            work("用户 — é µ" + "x" * 500)

    def test_asserted(collect):
        idle("µ é 用户")
        collect.assert_none_slower_than("0ns")

    @pytest.mark.collect_budget("idle", calls=0)
    def test_budget():
        idle("µ é 用户")
    """
MICRO = {"gbk": "us", "ascii": "us", "cp932": "us", "cp866": "us", "utf-8": "µs"}
WAYS = [
    *((encoding, "") for encoding in MICRO),
    *(("gbk", way) for way in ("-n0", "-n2", "--color=yes", "-s", "-v")),
]


def output(folder, encoding, *args):
    """Return the exit status and the output of a run with the given encoding."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return ended.returncode, ended.stdout.decode(encoding)


@pytest.mark.parametrize(("encoding", "way"), WAYS)
def test_characters_that_an_encoding_lacks(pytester, encoding, way):
    pytester.makepyfile(conftest=CLOCK, test_it=SUITE)
    status, text = output(pytester.path, encoding, "--smartcollect", *way.split())
    assert status == 1
    assert "\\n" not in text
    summary = text[text.index("= smartcollect =") : text.index("= short test summary")]
    assert re.search(rf"^idle .* [\d.]+ {MICRO[encoding]} ", summary, re.MULTILINE)
    assert re.search(r"^work +1 +ValueError +gr", summary, re.MULTILINE)
    assert "\\x" not in summary
    assert "\\u" not in summary
    # In the text of a failure, pytest itself escapes lines that it cannot write.
    assert re.search(r"^(E +)?idle +[\d.]+ .*test_it.py:\d+$", text, re.MULTILINE)


@pytest.mark.parametrize("encoding", MICRO)
def test_usage_errors_are_one_line(pytester, encoding):
    pytester.makepyfile("def test_it(): ...")
    status, text = output(pytester.path, encoding, "--smartcollect-rows=µ用户")
    assert status == 4
    (line,) = filter(None, text.splitlines())
    assert line.startswith("ERROR: --smartcollect-rows (command line): ")
    assert "\\n" not in line
