"""``python -m benchmarks.other_tools``: how much longer a suite takes with each of several tools.

It runs the suite of another project once for each tool, in turns, round after round. Each run is
compared with the plain run of its round. `docs/explanation/other-tools.md` explains the results.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import tabulate

from smartcollect.profiles.machine import fingerprint

RESULTS = Path(__file__).with_name("other_tools.md")
PLAIN = "plain"
_PACKAGES = (
    *("pytest", "pytest-durations", "coverage", "pytest-profiling", "pyinstrument", "viztracer"),
    *("memray", "pytest-memray", "smartcollect"),
)
_VERSIONS = (
    "import importlib.metadata, platform, sys;"
    "print(platform.python_version(), *map(importlib.metadata.version, sys.argv[1:]))"
)
_INTRODUCTION = """# Results of `python -m benchmarks.other_tools`

Each round runs the suite once with each tool, every second round in the opposite order. The tools
that take longest run only in every third round. "CPU time" and "wall time" are ratios of a run to
the plain run of the same round: the median and the quartiles of the rounds. They cover the whole
process: start, collection, tests and the tool's report. CPU time is user and system time. Peak
memory is the resident set. [How smartcollect compares with other
tools](../docs/explanation/other-tools.md) explains the rows.

"""
_HEADERS = (
    *("run", "rounds", "CPU time", "quartiles", "wall time", "quartiles"),
    *("median CPU time", "peak memory"),
)


class Tool(NamedTuple):
    """A command line that runs pytest with a tool.

    Attributes:
        name: the name of the row.
        before: arguments of Python before ``-m pytest``.
        after: arguments of pytest.
        environment: variables that the tool needs.
        every: 3 to run it only in every third round, because it takes long.
    """

    name: str
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    environment: Mapping[str, str] = {}
    every: int = 1


class Run(NamedTuple):
    """The resources that one run took.

    Attributes:
        processor: user and system time, in seconds.
        wall: elapsed time, in seconds.
        memory: peak resident set, in MiB.
    """

    processor: float
    wall: float
    memory: float


def tools(package: str, module: str, folder: Path) -> list[Tool]:
    """Return the tools, each with its defaults as far as possible.

    Args:
        package: the package that coverage measures and smartcollect watches.
        module: a module that smartcollect watches alone.
        folder: a folder for the files that tools write.
    """
    watch = ("-p", "smartcollect")
    return [
        Tool(PLAIN),
        Tool("--durations=10", after=["--durations=10"]),
        Tool("pytest-durations", after=["-p", "pytest_durations"]),
        Tool(
            "coverage.py, branches",
            before=["-m", "coverage", "run", "--branch", f"--source={package}"],
            environment={"COVERAGE_FILE": str(folder / "coverage"), "COVERAGE_RCFILE": os.devnull},
        ),
        Tool("cProfile", before=["-m", "cProfile", "-o", str(folder / "cprofile")]),
        Tool(
            "pytest-profiling",
            after=["-p", "pytest_profiling", "--profile", f"--pstats-dir={folder / 'pstats'}"],
            every=3,
        ),
        Tool("pyinstrument", before=["-m", "pyinstrument", "-o", str(folder / "pyinstrument")]),
        Tool(
            "VizTracer",
            before=["-m", "viztracer", "--quiet", "-o", str(folder / "viztracer.json")],
        ),
        Tool("pytest-memray", after=["-p", "pytest_memray.plugin", "--memray"], every=3),
        Tool(f"smartcollect, {module}", after=[*watch, f"--smartcollect-watch={module}"]),
        Tool(f"smartcollect, {package}", after=[*watch, f"--smartcollect-watch={package}"]),
    ]


class Suite:
    """The suite that each tool runs.

    Args:
        folder: the checkout of the project.
        python: the interpreter of an environment that has the project and the tools.
        arguments: for pytest.
        scratch: a folder for output.
    """

    def __init__(self, folder: Path, python: Path, arguments: Sequence[str], scratch: Path) -> None:
        self._folder = folder
        self._python = python
        self._arguments = arguments
        self._scratch = scratch
        self._outcome = ""

    def run(self, tool: Tool) -> Run:
        """Run the suite once.

        Raises:
            RuntimeError: the tests did not come out as in the first run.
        """
        command = [str(self._python), *tool.before, "-m", "pytest"]
        options = ["-q", "-p", "no:cacheprovider", *tool.after, *self._arguments]
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(self._python.parent), os.environ.get("PATH", "")]),
            # Not in the command: VizTracer would take some of them for its own.
            "PYTEST_ADDOPTS": shlex.join(options),
            # Installed plugins such as pytest-durations would be active in every run.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONHASHSEED": "0",
            **tool.environment,
        }
        output = self._scratch / "output"
        with output.open("wb") as file:
            start = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        self._check(tool, process.returncode, output.read_text("utf-8", errors="replace"))
        return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)

    def _check(self, tool: Tool, exit: int, output: str) -> None:
        counts = re.findall(r"^=* ?(\d+ (?:passed|failed).*) in [\d.]+s", output, re.M)
        outcome = f"exit status {exit}, {counts[-1] if counts else 'no result'}"
        self._outcome = self._outcome or outcome
        if outcome != self._outcome or not counts:
            raise RuntimeError(f"{tool.name}: {outcome}, not {self._outcome}\n{output[-3_000:]}")

    @property
    def outcome(self) -> str:
        """The number of tests that passed, failed and so on."""
        return self._outcome.partition(", ")[2]


def measured(suite: Suite, tools: Sequence[Tool], rounds: int) -> dict[str, dict[int, Run]]:
    """Return the runs of each tool by the number of their round.

    A machine is now faster and now slower; runs of the same round met the same machine. If you
    interrupt it, the rounds that are complete count.
    """
    taken: dict[str, dict[int, Run]] = {tool.name: {} for tool in tools}
    suite.run(Tool(PLAIN))  # compiles the project and its tests
    try:
        for number in range(rounds):
            now = [tool for tool in tools if number % tool.every == 0]
            runs = {}
            for tool in reversed(now) if number % 2 else now:
                runs[tool.name] = run = suite.run(tool)
                print(f"{run.processor:7.2f} s  {run.wall:7.2f} s  {tool.name}", flush=True)
            for name, run in runs.items():
                taken[name][number] = run
    except KeyboardInterrupt:
        print("interrupted")
    return taken


def _ratios(some: Mapping[int, float], plain: Mapping[int, float]) -> tuple[str, str]:
    ratios = [value / plain[number] for number, value in some.items()]
    if len(ratios) == 1:
        return f"{ratios[0]:.2f}", ""
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.2f}", f"{low:.2f} to {high:.2f}"


def rows(taken: Mapping[str, Mapping[int, Run]]) -> list[list[str]]:
    """Return a line of the table for each tool; see `_HEADERS`."""
    found = []
    for name, runs in taken.items():
        if not runs:
            continue  # interrupted
        cells = [name, str(len(runs))]
        for field in ("processor", "wall"):
            some, plain = (
                {number: getattr(run, field) for number, run in each.items()}
                for each in (runs, taken[PLAIN])
            )
            cells += _ratios(some, plain)
        seconds, memory = (
            statistics.median(getattr(run, field) for run in runs.values())
            for field in ("processor", "memory")
        )
        found.append([*cells, f"{seconds:.2f} s", f"{memory:,.0f} MiB"])
    return found


def keep(title: str, text: str) -> None:
    """Put a section into the file of results, in place of the one with the same title."""
    sections = {}
    if RESULTS.exists():
        for section in re.split(r"^(?=## )", RESULTS.read_text("utf-8"), flags=re.M)[1:]:
            sections[section.partition("\n")[0]] = section.rstrip() + "\n"
    sections[f"## {title}"] = f"## {title}\n\n{text.rstrip()}\n"
    RESULTS.write_text(
        _INTRODUCTION + "\n".join(sections[one] for one in sorted(sections)), encoding="utf-8"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print and, with ``--keep``, write."""
    parser = argparse.ArgumentParser("python -m benchmarks.other_tools", description=__doc__)
    parser.add_argument("folder", type=Path, help="the checkout of the project")
    parser.add_argument("--python", type=Path, required=True, help="interpreter of an environment")
    parser.add_argument("--package", required=True, help="the package to watch")
    parser.add_argument("--module", required=True, help="a module to watch alone")
    parser.add_argument("--project", help="the project's name, where it is not the package's")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", action="append", help="run only tools with this in their name")
    parser.add_argument("--keep", action="store_true", help=f"put the result into {RESULTS.name}")
    parser.usage = f"{parser.format_usage()[7:].rstrip()} [-- arguments for pytest]"
    ours = list(sys.argv[1:] if arguments is None else arguments)
    theirs = ours[ours.index("--") + 1 :] if "--" in ours else []
    given = parser.parse_args(ours[: ours.index("--")] if "--" in ours else ours)
    # Not resolved: the interpreter of an environment is a link, and known by where that is.
    python = given.python.absolute()
    title = given.project or given.package
    packages = (title, *_PACKAGES)
    done = subprocess.run(
        [str(python), "-c", _VERSIONS, *packages], capture_output=True, text=True, check=True
    )
    version, project, *others = done.stdout.split()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        suite = Suite(given.folder, python, theirs, scratch)
        chosen = [
            tool
            for tool in tools(given.package, given.module, scratch)
            if tool.name == PLAIN or not given.only or any(one in tool.name for one in given.only)
        ]
        taken = measured(suite, chosen, given.rounds)
    table = tabulate.tabulate(rows(taken), _HEADERS, tablefmt="github", disable_numparse=True)
    title = f"{title} {project}, CPython {version}"
    names = ", ".join(f"{package} {one}" for package, one in zip(_PACKAGES, others, strict=True))
    machine = fingerprint()
    text = (
        f"{suite.outcome}{f'; pytest {shlex.join(theirs)}' if theirs else ''}.\n\n{table}\n\n"
        f"Measured on: {machine['cpu']}, {machine['cpus']} processors, {machine['platform']}; "
        f"CPython {version}; {names}.\n"
    )
    print(f"## {title}\n\n{text}")
    if given.keep:
        keep(title, text)


if __name__ == "__main__":
    main()
