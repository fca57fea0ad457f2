"""The example without a switcher, on FastAPI and SQLAlchemy: `examples/blog`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support import table

EXAMPLE = Path(__file__).parents[2] / "examples" / "blog"
CALLS = {
    "blog.app.write": 37,
    "blog.posts.write": 37,
    "create": 3,
    "blog.app.archive": 1,
    "blog.posts.archive": 1,
    "session": 39,
    "front": 1,
    "latest": 1,
}


@pytest.fixture
def blog(pytester):
    for package in ("fastapi", "httpx", "sqlalchemy"):
        pytest.importorskip(package)
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    return pytester


def test_the_summary_of_the_blog(blog, run):
    result = run("--smartcollect", "-v")
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    calls = {row["handler"]: int(row["calls"]) for row in table(result)}
    statements = calls.pop("DefaultDialect.do_execute")
    assert calls == CALLS
    assert statements > 150
    repeats = [[*row.values()][:4] for row in table(result, "under")]
    found = ["blog.posts.archive", "DefaultDialect.do_execute", "13"]
    assert [*found, "different"] in repeats
    assert "latest" not in {row[0] for row in repeats}
    result.stdout.fnmatch_lines(["never called: *, remove"])


def test_the_budget_of_the_front_page(blog, run):
    posts = blog.path / "blog" / "posts.py"
    text = posts.read_text("utf-8")
    posts.write_text(text.replace(".options(joinedload(Post.author))", ""), "utf-8")
    result = run()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*DefaultDialect.do_execute*calls is 11, the budget is 1*"])
