"""The examples on the page about genro-routes, run with the real package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import table

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "genro-routes.md"


def test_the_examples_of_the_page(pytester, run):
    pytest.importorskip("genro_routes")
    blocks = re.findall(r"^```{code-block} (\w+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    for language, text in blocks:
        named = re.match(r"# (\w+\.py)\n", text)
        if named:
            (pytester.path / named[1]).write_text(text, "utf-8")
        elif language == "ini":
            pytester.makeini(f"{text}pythonpath = .\n")
    ((_, command),) = [block for block in blocks if block[0] == "console"]
    result = run(*command.removeprefix("$ pytest").split())
    result.assert_outcomes(passed=1)
    calls = {row["handler"]: row["calls"] for row in table(result)}
    assert calls == {"Orders.list": "1", "Orders.retrieve": "1"}
