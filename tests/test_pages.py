"""Every example of every page runs, and what a page shows is what comes out.

A page is worked through from its top, in a copy of the shop:

- ``python`` whose first line names a file, such as ``# tests/test_users.py``, is written there;
  functions that the file has already are replaced. Any other ``python`` is run, all of a page in
  one namespace.
- ``text`` below it is what it printed. Other ``text`` is a drawing.
- ``ini`` becomes the shop's ``pytest.ini``.
- ``console`` is run, command by command, and so is ``text`` that begins with a command. What is
  shown below one has to come out; a line ``…`` stands for what is left out. A command that shows
  nothing has to succeed.
- ``sh`` and ``yaml`` are for a clean clone or a CI: they do not run here.
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
    if "_generated" not in path.parts
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
"""What the examples of a page need beside smartcollect: extras, which not every test run has."""
METRICS = tuple(
    re.findall(
        r'"(smartcollect_\w+)"', (ROOT / "src/smartcollect/sinks/prometheus.py").read_text("utf-8")
    )
)
PROGRAMS = "\n".join(
    f'{name}() {{ "{sys.executable}" -m {name} "$@"; }}' for name in ("pytest", "smartcollect")
)
"""The commands of pages as functions of the shell: those of this Python."""
INI = {"testpaths": "tests", "pythonpath": "."}


def blocks(page: str) -> list[tuple[str, str]]:
    """The code of a page, block by block: its language and its text."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)


def masked(text: str) -> Counter[str]:
    """The lines of a text without what differs from run to run: times, their order, widths."""
    text = re.sub(r"^\d+ % of the run was spent waiting for a processor$", "", text, flags=re.M)
    text = re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "MOMENT", text)
    text = re.sub(r"\d[\d,.]* (?:s|ms|µs|ns)\b", "TIME", text)
    text = re.sub(r"TIME\s+TIME\s+\d+\.\d\d", "TIME TIME RATIO", text)
    text = re.sub(r"(RATIO\b.*)\s\d\.\d{4}", r"\1 P", text)
    # How long a bar is, and what its percents are, depends on the times.
    text = re.sub(r"(TIME,?)[\s|]+(?:<1|\d+) %(?: [█▉▊▋▌▍▎▏]+)?", r"\1 SHARE", text)
    text = re.sub(r"(?:, \d+ warnings?)? in \d+\.\d\ds\b", " in TIME", text)
    text = re.sub(r"(order_id=)\d+", r"\1N", text)  # times decide which are among the slowest
    text = re.sub(r"([=_-])\1{2,}", r"\1", text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return Counter(line for line in lines if set(line) - set(" -=…|:"))


def compare(shown: str, real: str) -> None:
    """Fails unless ``shown`` is what came out, or a part of it where it has a line ``…``."""
    if shown.startswith("=") and " smartcollect =" in shown.partition("\n")[0]:
        real = real[max(0, real.find("= smartcollect =")) :]
    wanted, found = masked(shown), masked(real)
    missing = wanted - found
    more = found - wanted if "…" not in shown.splitlines() else Counter()
    assert not missing, f"shown, but not so:\n{chr(10).join(missing)}\n\nof\n{real}"
    assert not more, f"not shown:\n{chr(10).join(more)}"


class Shop:
    """A copy of the shop in which the examples of a page are run."""

    def __init__(self, folder: Path) -> None:
        self.top = folder
        self.path = folder / "examples/shop"
        shutil.copytree(ROOT / "examples/shop", self.path)
        self.namespace = {"__name__": "page"}
        self.untried = False

    def python(self, text: str) -> str:
        """Runs a block, or writes it to the file that it names; what it printed."""
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
        """Run the commands of a block.

        A comparison of times may accuse a machine that other tests keep busy, now and then: then
        the whole block, with its baseline, gets another try. What is slower is so each time.
        """
        found = COMMAND.findall(text)
        assert found, text
        for last in (False, False, True):
            noise = ""
            for command, shown in found:
                self.untried = False
                result = self._run(command)
                if shown:
                    compare(shown, result.stdout)
                elif result.returncode and "regression: " in result.stdout and not last:
                    noise = result.stdout
                    break
                else:
                    assert result.returncode == 0, f"{command}\n{result.stdout}"
            if not noise:
                return
            sys.stderr.write(noise)

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
    """The lines of a statement, with its decorators."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    yield shop
    # A page may leave a database or a subscription open; its reader's process ends with it.
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
        assert language in LANGUAGES, f"no way to run {language}"
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


def test_the_yaml_of_the_pages_can_be_read():
    yaml = pytest.importorskip("yaml", reason="comes with the extra docs")
    found = [text for page in PAGES for language, text in blocks(page) if language == "yaml"]
    assert found
    assert all(isinstance(yaml.safe_load(text), (dict, list)) for text in found)


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md"])
def test_the_options_of_a_page_exist(page):
    text = (ROOT / page).read_text("utf-8")
    flags = {"--smartcollect", "--no-smartcollect", *(one.flag for one in OPTIONS)}
    flags |= {f"--no-{one.flag[2:]}" for one in OPTIONS if not one.metavar}
    keys = {"smartcollect", "smartcollect_pytest", *(one.key for one in OPTIONS)}
    assert set(re.findall(r"--(?:no-)?smartcollect[a-z-]*\b(?!-…)", text)) <= flags
    found = set(re.findall(r"(?<![\w/.])smartcollect_[a-z_]+\b(?!\.)", text))
    assert {one for one in found if not one.startswith(METRICS)} <= keys


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_somewhere(page):
    text = (ROOT / page).read_text("utf-8")
    text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", text, flags=re.M | re.S)
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{target} in {page}"


INSTALLING = {
    "README.md": 2,  # the first runs in a clean clone, see test_project; the second is CI's
    "CONTRIBUTING.md": 4,
    "docs/installation.md": 2,
    "docs/tutorial.md": 1,
    "docs/howto/history.md": 1,
    "docs/howto/html.md": 1,
    "docs/howto/opentelemetry.md": 2,
    "docs/reference/command.md": 2,
    "docs/explanation/cost.md": 1,
}
"""Pages with ``sh`` blocks, which need the network or take minutes, and how many each has."""


def test_what_cannot_run_here_is_known():
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
def test_what_is_public_is_in_the_reference(name):
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
