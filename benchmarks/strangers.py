"""``python -m benchmarks.strangers``: run the suite of another project watched and bare.

Runs the suite bare, then with every function of a package watched, then bare again, and prints the
tests whose outcomes differ. Tests that differ between the two bare runs are unstable and are listed
separately.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tabulate

RESULTS = Path(__file__).with_name("strangers.md")
_HERE = Path(__file__).parent
_PLUGINS = ("note_outcomes", "watch_everything")
_HEADERS = (
    *("package", "Python", "tests", "functions", "calls", "differ"),
    *("bare", "watched", "ratio", "call", "bare ÷ calls", "added ÷ calls"),
)
_VERSIONS = (
    "import importlib.metadata, platform, sys;"
    "print(importlib.metadata.version(sys.argv[1]), platform.python_version())"
)

Phase = tuple[str, str]
"""The name of a test, and its phase."""


class Run(NamedTuple):
    """One run of a suite.

    Attributes:
        outcomes: the outcomes of each phase of each test; several if it reports more than once.
        texts: the failure texts of pytest.
        seconds: processor time from the end of the collection on; ``None`` after a crash.
        exit: the exit status; negative for a signal.
        output: the end of the printed output.
        watched: the report of `watch_everything`.
    """

    outcomes: dict[Phase, tuple[str, ...]]
    texts: dict[Phase, str]
    seconds: float | None
    exit: int
    output: str
    watched: Mapping[str, Any]

    @property
    def tests(self) -> list[str]:
        """The tests that started."""
        return [test for test, phase in self.outcomes if phase == "start"]


class Suite(NamedTuple):
    """A test suite to run.

    Attributes:
        folder: the checkout of the project.
        python: the interpreter of an environment with the project and smartcollect.
        package: the package to watch.
        arguments: the arguments for pytest.
        cross_check: whether a second tool also counts the calls.
    """

    folder: Path
    python: Path
    package: str
    arguments: Sequence[str]
    cross_check: bool

    def run(self, watched: bool) -> Run:
        """Run the suite once."""
        with tempfile.TemporaryDirectory() as name:
            # In a separate folder, because the project may have modules with the same names.
            scratch = Path(name)
            plugins = _PLUGINS if watched else _PLUGINS[:1]
            for plugin in plugins:
                shutil.copy(_HERE / f"{plugin}.py", scratch)
            notes, report = scratch / "notes", scratch / "report"
            command = [
                *(str(self.python), "-m", "pytest", "-q", "--note-outcomes", str(notes)),
                *(option for plugin in plugins for option in ("-p", plugin)),
                *(f"-pno:{plugin}" for plugin in ("randomly", "cacheprovider", "smartcollect")),
            ]
            if watched:
                command += ["--watch-package", self.package, "--watch-report", str(report)]
                command += ["--watch-cross-check"] if self.cross_check else []
            # The command `python` must be the interpreter of the environment.
            paths = os.pathsep.join([str(self.python.parent), os.environ.get("PATH", "")])
            environment = {
                **os.environ,
                "HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis"),
                "PATH": paths,
                "PYTHONFAULTHANDLER": "1",
                "PYTHONHASHSEED": "0",
                "PYTHONPATH": str(scratch),
            }
            done = subprocess.run(
                [*command, *self.arguments],
                cwd=self.folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
            return _read(notes, report, done)


def _read(notes: Path, report: Path, done: subprocess.CompletedProcess[str]) -> Run:
    outcomes: dict[Phase, tuple[str, ...]] = {}
    texts: dict[Phase, str] = {}
    seconds = None
    for line in notes.read_text("utf-8").splitlines() if notes.exists() else ():
        note = json.loads(line)
        if note["phase"] == "end":
            seconds = note["seconds"]
            continue
        phase = note["test"], note["phase"]
        outcomes[phase] = (*outcomes.get(phase, ()), note.get("outcome", "begins"))
        texts[phase] = note.get("text") or texts.get(phase, "")
    text = report.read_text("utf-8") if report.exists() else ""
    watched = json.loads(text) if text else {}
    return Run(outcomes, texts, seconds, done.returncode, done.stdout[-3_000:], watched)


def different(one: Run, other: Run) -> dict[str, list[str]]:
    """Return the tests with different outcomes in both runs, and the differences by phase."""
    found: dict[str, list[str]] = {}
    for phase in {**one.outcomes, **other.outcomes}:
        outcomes = [run.outcomes.get(phase, ("not run",)) for run in (one, other)]
        if outcomes[0] != outcomes[1]:
            test, when = phase
            # Subtests may report hundreds of outcomes in one phase.
            shown = " and ".join(textwrap.shorten(" ".join(each), 60) for each in outcomes)
            text = other.texts.get(phase) or one.texts.get(phase, "")
            found.setdefault(test, []).append(f"{when}: {shown}\n{text}")
    return found


def changed_by_watching(bare: Run, watched: Run, again: Run) -> dict[str, list[str]]:
    """Return the tests that watching changed, and print the unstable ones."""
    by_themselves = different(bare, again)
    # Parameters may be times or random numbers, so names of tests may differ between runs.
    alone = {_function(test) for test in {*bare.tests} ^ {*again.tests}}
    for test in sorted(by_themselves):
        print(f"differs by itself: {test}")
    changed = {
        test: how
        for test, how in different(bare, watched).items()
        if test not in by_themselves and _function(test) not in alone
    }
    if watched.seconds is not None:
        return changed
    # Nothing is known of the tests after the crash.
    print(f"crashed in {watched.tests[-1] if watched.tests else 'no test'}")
    known = {test for test, _ in watched.outcomes} - {*watched.tests[-1:]}
    return {test: how for test, how in changed.items() if test in known}


def _function(test: str) -> str:
    return test.partition("[")[0]


def troubles(bare: Run, watched: Run, again: Run) -> Iterator[str]:
    """Yield problems besides outcomes: crashed runs and errors of the recorder."""
    for title, run in (("bare", bare), ("watched", watched), ("bare again", again)):
        if run.seconds is None or run.exit != bare.exit:
            yield f"{title}: exit status {run.exit}; the output ends with:\n{run.output}"
    for trouble in ("failures", "left behind", "miscounted"):
        if watched.watched.get(trouble):
            yield f"{trouble}: {watched.watched[trouble]}"


def row(name: str, python: str, runs: tuple[Run, Run, Run], differ: int) -> list[str]:
    """Return the row for the table; see `_HEADERS`."""
    bare, watched, again = runs
    calls = watched.watched.get("calls", 0)
    cells = [
        name,
        python,
        str(len(bare.tests)),
        str(watched.watched.get("functions", 0)),
        f"{calls:,}",
    ]
    if bare.seconds is None or watched.seconds is None or again.seconds is None or not calls:
        return [*cells, f"{differ}; crashed" if watched.seconds is None else str(differ)]
    # The watched run was between the two bare runs, so a drift of the machine cancels out.
    plain = (bare.seconds + again.seconds) / 2
    return [
        *(*cells, str(differ), f"{plain:.2f} s", f"{watched.seconds:.2f} s"),
        f"{watched.seconds / plain:.2f}",
        f"{watched.watched['seconds'] / calls * 1e6:.1f} µs",
        f"{plain / calls * 1e6:.2f} µs",
        f"{(watched.seconds - plain) / calls * 1e6:.2f} µs",
    ]


def keep(row: Sequence[str]) -> None:
    """Add a row to the table in `RESULTS`, or replace the row of the same project."""
    introduction, _, table = RESULTS.read_text("utf-8").partition("\n|")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    key = row[0].split()[0], row[1]
    rows = [one for one in lines if one and (one[0].split()[0], one[1]) != key]
    rows.append([*row, *[""] * (len(_HEADERS) - len(row))])
    shown = tabulate.tabulate(sorted(rows), _HEADERS, tablefmt="github", disable_numparse=True)
    RESULTS.write_text(f"{introduction.rstrip()}\n\n{shown}\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print and, with ``--keep``, write; return the exit status."""
    parser = argparse.ArgumentParser("python -m benchmarks.strangers", description=__doc__)
    parser.add_argument("folder", type=Path, help="checkout of the project")
    parser.add_argument(
        "--python", type=Path, required=True, help="interpreter of an environment with the project"
    )
    parser.add_argument("--package", required=True, help="package to watch")
    parser.add_argument("--cross-check", action="store_true", help="look for lost calls (slower)")
    parser.add_argument("--keep", action="store_true", help=f"write the result to {RESULTS.name}")
    parser.add_argument("--project", help="name of the project, if it differs from the package")
    parser.usage = f"{parser.format_usage()[7:].rstrip()} [-- arguments for pytest]"
    ours = list(sys.argv[1:] if arguments is None else arguments)
    theirs = ours[ours.index("--") + 1 :] if "--" in ours else []
    given = parser.parse_args(ours[: ours.index("--")] if "--" in ours else ours)
    # Not resolved, because Python finds its environment through the path of the link.
    python = given.python.absolute()
    suite = Suite(given.folder, python, given.package, theirs, given.cross_check)
    project = given.project or given.package
    versions = subprocess.run(
        [str(python), "-c", _VERSIONS, project], capture_output=True, text=True, check=True
    )
    version, of_python = versions.stdout.split()
    runs = suite.run(watched=False), suite.run(watched=True), suite.run(watched=False)
    differ = changed_by_watching(*runs)
    for test, how in differ.items():
        print(f"differs: {test}", *how, sep="\n")
    for trouble in troubles(*runs):
        print(trouble)
    line = row(f"{project} {version}", of_python, runs, len(differ))
    print(tabulate.tabulate([line], _HEADERS, tablefmt="github", disable_numparse=True))
    if given.keep:
        keep(line)
    return 1 if differ or runs[1].seconds is None else 0


if __name__ == "__main__":
    raise SystemExit(main())
