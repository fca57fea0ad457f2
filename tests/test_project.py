"""What the project promises of itself: its layout, its imports, its README."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import needs_get

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src"
# From the bottom up: a module imports only those before it.
LAYERS = [
    "units",
    "plain",
    "clock",
    "machine",
    "names",
    "nesting",
    "functions",
    "redaction",
    "snapshot",
    "failure",
    "taking",
    "tables",
    "stats",
    "settings",
    "ring",
    "store",
    "standin",
    "recorder",
    "instrument",
    "switcher",
    "profile",
    "export",
    "budgets",
    "baseline",
    "assertions",
    "calllog",
    "plugin",
    "__init__",
]
PYTEST_LAYERS = [
    "hookspecs",
    "options",
    "marker",
    "selection",
    "wire",
    "capture",
    "session",
    "checks",
    "summary",
    "terminal",
    "report",
    "junit",
    "profiler",
    "plugin",
    "__init__",
]


def imports(path: Path) -> set[str]:
    """The modules that a file imports anywhere in it, absolute names."""
    package = path.parent.name
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, [package if node.level else "", node.module or ""]))
            found.add(base)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def modules(package: str) -> dict[str, set[str]]:
    return {path.stem: imports(path) for path in (SOURCES / package).glob("*.py")}


@pytest.mark.parametrize(
    ("package", "layers"), [("smartcollect", LAYERS), ("smartcollect_pytest", PYTEST_LAYERS)]
)
def test_imports_go_downwards(package, layers):
    found = modules(package)
    assert set(found) == set(layers)
    for name, imported in found.items():
        above = layers[layers.index(name) :]
        assert not imported & {f"{package}.{other}" for other in above}, name


def test_two_modules_alone_import_smartswitch():
    found = modules("smartcollect")
    knowing = {
        name
        for name, imported in found.items()
        if any(one.split(".")[0] == "smartswitch" for one in imported)
    }
    assert knowing == {"plugin", "switcher"}


def test_the_library_imports_no_pytest():
    for name, imported in modules("smartcollect").items():
        tops = {one.split(".")[0] for one in imported}
        assert not tops & {"pytest", "_pytest", "pluggy", "smartcollect_pytest"}, name


def test_both_packages_are_typed():
    for package in ("smartcollect", "smartcollect_pytest"):
        assert (SOURCES / package / "py.typed").exists()


def test_importing_the_library_needs_no_pytest_and_no_tabulate():
    code = (
        "import sys; sys.modules['pytest'] = sys.modules['tabulate'] = None;"
        "import smartcollect; from smartswitch import Switcher;"
        "assert 'collect' in Switcher.registered_plugins()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_version_is_in_the_changelog():
    version = importlib.metadata.version("smartcollect")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    """What the page has of one language, block by block."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def test_ci_runs_the_readmes_test_command():
    commands = blocks("README.md", "sh")[1].strip().splitlines()
    # Whoever tries the README takes its first blocks of any shell.
    assert blocks("README.md", "(?:sh|bash|shell|console)")[:2] == blocks("README.md", "sh")
    ci = (ROOT / ".ci/run").read_text("utf-8")
    assert "README.md" in ci
    assert commands[-1] == ".venv/bin/tox"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout")
@pytest.mark.parametrize(
    ("page", "then"),
    [("README.md", ""), ("docs/tutorial.md", "pytest --smartcollect")],
    ids=["readme", "tutorial"],
)
@needs_get
def test_the_first_steps_of_a_page_work_in_a_clean_clone(page, then, tmp_path):
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "clone")], check=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTEST_ADDOPTS"):
        env.pop(name, None)
    result = subprocess.run(
        ["bash", "-e", "-c", blocks(page, "sh")[0] + then],
        cwd=tmp_path / "clone",
        env=env,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "never called: users.delete" in result.stdout
