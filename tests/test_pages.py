"""Tests of the documentation: every example runs, and its output is the output shown.

The code blocks of a page run from top to bottom, in a copy of the example shop:

- A ``python`` block whose first line names a file, such as ``# tests/test_users.py``, is written to
  the file; functions already in the file are replaced. Other ``python`` blocks are run, all in one
  namespace per page.
- A ``text`` block below a ``python`` block is its output. Other ``text`` blocks are not checked.
- An ``ini`` block becomes the shop's ``pytest.ini``.
- The commands in a ``console`` block, or in a ``text`` block that begins with a command, are run.
  Their output has to match the text below them; a line ``…`` stands for omitted lines. A command
  without output has to succeed.
- ``sh`` and ``yaml`` blocks are for a clean clone or for CI, and do not run here.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib
import inspect
import io
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from html import unescape
from pathlib import Path

import pytest
from support import needs_get

import smartcollect
from smartcollect_pytest.options import OPTIONS

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
)
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.glob("src/**/*.py")
)
LANGUAGES = {"python", "text", "ini", "console", "sh", "yaml"}
COMMAND = re.compile(r"^\$ (.*(?:\\\n.*)*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
API = "docs/reference/api.md"
NEEDED = {
    "docs/howto/database.md": ["sqlalchemy"],
    "docs/howto/history.md": ["sqlalchemy"],
    "docs/howto/html.md": ["jinja2"],
    "docs/howto/opentelemetry.md": ["opentelemetry.exporter.otlp.proto.http"],
    "docs/howto/prometheus.md": ["prometheus_client"],
    "docs/howto/split.md": ["click", "sqlalchemy"],
    "docs/reference/command.md": ["click", "jinja2", "sqlalchemy"],
}
"""Modules from extras that the examples of a page need; the test is skipped without them."""
METRICS = tuple(
    re.findall(
        r'"(smartcollect_\w+)"', (ROOT / "src/smartcollect/sinks/prometheus.py").read_text("utf-8")
    )
)
PROGRAMS = "\n".join(
    f'{name}() {{ "{sys.executable}" -m {name} "$@"; }}' for name in ("pytest", "smartcollect")
)
"""Shell functions for the commands on pages, which run them with this Python."""
DRIFT = re.compile(
    r"everything is slower, .*?handlers\)(\s+and\s.*?handlers\))?(,\s+more\s.*?causes)?", re.DOTALL
)
"""What a comparison with ``-q`` says if the machine has become slower, which machines do."""
INI = {"testpaths": "tests", "pythonpath": "."}


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the language and text of each code block of a page."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)


def masked(text: str) -> Counter[str]:
    """Count the lines of a text, with times, widths and so on replaced by fixed words."""
    text = re.sub(r"^\d+ % of the run was spent waiting for a processor$", "", text, flags=re.M)
    text = DRIFT.sub("no regression", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "MOMENT", text)
    text = re.sub(r"\d[\d,.]* (?:s|ms|µs|ns)\b", "TIME", text)
    text = re.sub(r"TIME\s+TIME\s+\d+\.\d\d", "TIME TIME RATIO", text)
    text = re.sub(r"(RATIO\b.*)\s\d\.\d{4}", r"\1 P", text)
    # Bars and percentages depend on times.
    text = re.sub(r"(TIME,?)[\s|]+(?:<1|\d+) %(?: [█▉▊▋▌▍▎▏]+)?", r"\1 SHARE", text)
    text = re.sub(r"(?:, \d+ warnings?)? in \d+\.\d\ds\b", " in TIME", text)
    text = re.sub(r"(order_id=)\d+", r"\1N", text)  # the slowest calls depend on times
    text = re.sub(r"([=_-])\1{2,}", r"\1", text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return Counter(line for line in lines if set(line) - set(" -=…|:"))


def compare(shown: str, real: str) -> None:
    """Fail unless ``shown`` is the real output, or a part of it if it has a line ``…``."""
    if shown.startswith("=") and " smartcollect =" in shown.partition("\n")[0]:
        real = real[max(0, real.find("= smartcollect =")) :]
    expected, found = masked(shown), masked(real)
    missing = expected - found
    more = found - expected if "…" not in shown.splitlines() else Counter()
    assert not missing, f"missing in the output:\n{chr(10).join(missing)}\n\noutput:\n{real}"
    assert not more, f"not shown on the page:\n{chr(10).join(more)}"


class Shop:
    """A copy of the example shop, in which the examples of a page run."""

    def __init__(self, folder: Path) -> None:
        self.top = folder
        self.path = folder / "examples/shop"
        shutil.copytree(ROOT / "examples/shop", self.path)
        self.namespace = {"__name__": "page"}
        self.untried = False

    def python(self, text: str) -> str:
        """Run a block, or write it to the file that it names, and return its output."""
        named = re.match(r"# (\S+\.py)\n", text)
        if named:
            self._write(self.path / named[1], text)
            return ""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(text, "page.py", "exec"), self.namespace)
        return printed.getvalue()

    def _write(self, file: Path, text: str) -> None:
        self.untried = True
        if not file.exists():
            file.write_text(text, "utf-8")
            return
        there = file.read_text("utf-8")
        for node in ast.parse(text).body:
            code = _code(node, text)
            old = [
                _code(one, there)
                for one in ast.parse(there).body
                if getattr(one, "name", None) == getattr(node, "name", one)
            ]
            if old:
                there = there.replace(old[0], code)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                there = there if code in there else f"{code}\n{there}"
            else:
                there = f"{there}\n\n{code}\n"
        file.write_text(there, "utf-8")

    def ini(self, text: str) -> None:
        self.untried = True
        more = "".join(f"{key} = {value}\n" for key, value in INI.items() if key not in text)
        (self.path / "pytest.ini").write_text(text + more, "utf-8")

    def console(self, text: str) -> None:
        """Run the commands of a block and check their output.

        If a comparison of times fails, the whole block runs again, up to three times, because a
        busy machine can cause it. A real regression fails each time.
        """
        found = COMMAND.findall(text)
        assert found, text
        for last in (False, False, True):
            try:
                for command, shown in found:
                    self._check(command, shown)
            except AssertionError as problem:
                if last or "regression: " not in str(problem):
                    raise
                sys.stderr.write(f"{problem}\n")
            else:
                return

    def _check(self, command: str, shown: str) -> None:
        self.untried = False
        result = self._run(command)
        if shown:
            compare(shown, result.stdout)
        else:
            assert result.returncode == 0, f"{command}\n{result.stdout}"

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f"{PROGRAMS}\n{command}"],
            cwd=self.top if "examples/shop" in command else self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env={
                **os.environ,
                "COLUMNS": "80",
                "GITHUB_STEP_SUMMARY": str(self.top / "step.md"),
                "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:hypothesispytest",
                "PYTEST_XDIST_AUTO_NUM_WORKERS": "2",
                "PYTHONIOENCODING": "utf-8",
            },
        )


def _code(node: ast.stmt, text: str) -> str:
    """Return the lines of a statement, with its decorators."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    yield shop
    # Pages may leave these open, because the reader's process ends.
    for value in shop.namespace.values():
        if isinstance(value, (sqlite3.Connection, smartcollect.Subscription)):
            value.close()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
@needs_get
def test_the_examples_of_a_page_run(page, shop, monkeypatch):
    for module in NEEDED.get(page, ()):
        pytest.importorskip(module)
    monkeypatch.chdir(shop.path)
    monkeypatch.syspath_prepend(shop.path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]
    printed = None
    for language, text in blocks(page):
        assert language in LANGUAGES, f"unknown language {language!r}; choose from {LANGUAGES}"
        if language == "python":
            printed = shop.python(text)
            continue
        if language == "console" or text.startswith("$ "):
            shop.console(text)
        elif language == "text" and printed is not None:
            compare(text, printed)
        elif language == "ini":
            shop.ini(text)
        printed = None
    if shop.untried:
        shop.console("$ pytest --smartcollect\n")


def test_yaml_blocks_are_valid():
    yaml = pytest.importorskip("yaml", reason="comes with the extra docs")
    found = [text for page in PAGES for language, text in blocks(page) if language == "yaml"]
    assert found
    assert all(isinstance(yaml.safe_load(text), (dict, list)) for text in found)


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md"])
def test_options_on_a_page_exist(page):
    text = (ROOT / page).read_text("utf-8")
    flags = {"--smartcollect", "--no-smartcollect", *(one.flag for one in OPTIONS)}
    flags |= {f"--no-{one.flag[2:]}" for one in OPTIONS if not one.metavar}
    keys = {"smartcollect", "smartcollect_pytest", *(one.key for one in OPTIONS)}
    assert set(re.findall(r"--(?:no-)?smartcollect[a-z-]*\b(?!-…)", text)) <= flags
    found = set(re.findall(r"(?<![\w/.])smartcollect_[a-z_]+\b(?!\.)", text))
    assert {one for one in found if not one.startswith(METRICS)} <= keys


@pytest.mark.parametrize("page", PAGES)
def test_links_on_a_page_have_targets(page):
    text = (ROOT / page).read_text("utf-8")
    text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", text, flags=re.M | re.S)
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{target} in {page}"


@pytest.mark.parametrize("page", ["options.md", "budgets.md", "report.md"])
def test_the_tables_of_the_reference_are_up_to_date(page, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    tables = importlib.import_module("tables")
    assert page in tables.TABLES
    assert tables.with_table(page) == (ROOT / "docs/reference" / page).read_text("utf-8"), (
        "run python docs/tables.py"
    )


INSTALLING = {
    "README.md": 2,  # both are tested in test_project
    "CONTRIBUTING.md": 5,
    "docs/installation.md": 2,
    "docs/tutorial.md": 1,
    "docs/howto/history.md": 1,
    "docs/howto/html.md": 1,
    "docs/howto/opentelemetry.md": 2,
    "docs/reference/command.md": 2,
    "docs/explanation/cost.md": 1,
    "docs/explanation/other-tools.md": 1,
}
"""Number of ``sh`` blocks per page; they are not run because they need the network or minutes."""


def test_blocks_that_do_not_run_are_listed():
    found = Counter(page for page in PAGES for kind, _ in blocks(page) if kind == "sh")
    assert found == INSTALLING


@needs_get
def test_the_picture_shows_the_real_summary(tmp_path):
    picture = (ROOT / "docs/summary.svg").read_text("utf-8")
    assert "http" not in re.sub(r'xmlns="[^"]*"|<!--.*?-->', "", picture)
    parts = re.findall(r"<text [^>]*line-(\d+)\)[^>]*>(.*?)</text>", picture)
    lines: dict[int, str] = {}
    for number, text in parts:
        lines[int(number)] = lines.get(int(number), "") + unescape(text).replace("\xa0", " ")
    shown = "".join(f"{lines[number].rstrip()}\n" for number in sorted(lines))
    Shop(tmp_path).console(shown)


@pytest.mark.parametrize("name", smartcollect.__all__)
def test_public_names_are_in_the_reference(name):
    assert re.search(rf":: smartcollect\.{name}$", (ROOT / API).read_text("utf-8"), re.M)
    public = getattr(smartcollect, name)
    assert inspect.getdoc(public)
    for part, value in vars(public).items() if isinstance(public, type) else ():
        if inspect.isfunction(value) and not part.startswith("_"):
            assert inspect.getdoc(value), part


@needs_get
@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_docstring_run(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if "smartcollect[" not in str(error):
            raise
        pytest.skip(str(error))
    assert doctest.testmod(module).failed == 0
