"""The command as a process: exit status, pipes, encodings, completion and imports."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent.parent
needs_click = pytest.mark.skipif(
    find_spec("click") is None, reason="click comes with the extra command"
)
CALLS = {f"handler_{number}": [0.001] for number in range(300)}


def test_the_exit_status(written, process):
    written("run.json", CALLS)
    assert process("check", "run.json", "--budget", "handler_1 calls<=1").returncode == 0
    assert process("check", "run.json", "--budget", "handler_1 calls<=0").returncode == 1
    assert process("check", "run.json", "--budget", "handler_1").returncode == 2
    result = process("--version")
    assert (result.returncode, result.stdout[:12]) == (0, "smartcollect")
    for words in ((), ("history",)):
        result = process(*words)
        assert result.returncode == 2
        assert result.stderr.startswith("smartcollect: error: Missing command; see smartcollect")
    assert process("--help").stdout.startswith("Usage: smartcollect [OPTIONS] COMMAND [ARGS]...")


def test_the_entry_point_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    module, _, name = project["scripts"]["smartcollect"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))


@needs_click
def test_commands_import_neither_pytest_nor_smartswitch(written, tmp_path):
    written("run.json", CALLS, tests={"test_it": "handler_1"})
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('pytest', '_pytest', 'smartswitch')));"
        "from smartcollect.__main__ import main; main()"
    )
    for words in (
        "combine run.json -o whole.json",
        "show whole.json",
        "show whole.json --format md --handler handler_1",
        "show whole.json --format json",
        "compare run.json whole.json --fail 25%",
        "check whole.json --budget handler_1 calls<=1 --compare run.json --compare-fail 25%",
    ):
        arguments = words.replace(" calls", "\ncalls").split(" ")
        arguments = [one.replace("\n", " ") for one in arguments]
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, ""), words


@needs_click
def test_the_help_imports_only_the_command(process):
    code = (
        "import sys; before = set(sys.modules); from smartcollect.command import smartcollect\n"
        "try: smartcollect(['check', '--help'])\n"
        "except SystemExit: pass\n"
        "new = set(sys.modules) - before\n"
        "print(*(name for name in new if name.startswith(('smartcollect.', 'json'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not {name for name in loaded if not name.startswith("smartcollect.command")} - {
        "smartcollect.registration"
    }


def test_without_click_one_line_says_what_to_install():
    code = "import sys; sys.modules['click'] = None;from smartcollect.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("smartcollect: error: ")
    assert line.endswith("; install smartcollect[command]")


@needs_click
@pytest.mark.skipif(os.name == "nt", reason="pipes of Windows break otherwise")
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["show", "run.json", "--rows", "0", "--format", "json"], 0),
        (["show", "run.json", "-v"], 0),
        (["check", "run.json", "--budget", "* calls<=0"], 1),
    ],
)
def test_a_closed_pipe_does_not_change_the_exit_status(words, status, written):
    written("run.json", CALLS)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "smartcollect", *words], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (status, b"")


@needs_click
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("where", [">/dev/full", ">&-"], ids=["full", "closed"])
@pytest.mark.parametrize(
    "words", ["show run.json", "show run.json --format json", "check run.json", "--help"]
)
def test_an_output_that_cannot_be_written_is_an_error_in_one_line(words, where, written):
    written("run.json", CALLS)
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -m smartcollect {words} {where}'],
        stderr=subprocess.PIPE,
        text=True,
    )
    [line] = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("smartcollect: error: the output")


@needs_click
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_is_quiet(tmp_path):
    shard = tmp_path / "shard.json"
    os.mkfifo(shard)
    running = subprocess.Popen(
        [sys.executable, "-m", "smartcollect", "show", str(shard)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell that runs these tests in the background lets its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # The pipe opens once the command reads it; the command then waits for data that never comes.
    with shard.open("w"):
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err.strip()) == (130, b"", b"")


def test_characters_that_the_output_lacks_are_replaced(written, process):
    written("run.json", {"käse": [0.000001], "用户": [0.1]}, tests={"test_ü": "käse"})
    plain = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    result = process("show", "run.json", env=plain)
    assert (result.returncode, result.stderr) == (0, "")
    assert "k?se" in result.stdout
    assert "us" in result.stdout
    result = process("check", "run.json", "--budget", "käse calls<=0", env=plain)
    assert result.returncode == 1
    assert "over budget: k?se" in result.stdout
    # JSON is UTF-8 and keeps all characters.
    assert "用户" in process("show", "run.json", "--format", "json", env=plain).stdout


@needs_click
def test_colours_are_for_terminals(written):
    pty = pytest.importorskip("pty")
    written("run.json", {"get": [0.001]})
    shown = {}
    for name, env in {"colour": {}, "plain": {"NO_COLOR": "1"}}.items():
        ours, theirs = pty.openpty()
        done = subprocess.run(
            [sys.executable, "-m", "smartcollect", "check", "run.json", "--budget", "* calls<=0"],
            stdout=theirs,
            stderr=subprocess.PIPE,
            env={key: value for key, value in os.environ.items() if key != "NO_COLOR"} | env,
        )
        assert done.returncode == 1
        os.close(theirs)
        shown[name] = os.read(ours, 1000)
        os.close(ours)
    assert b"\x1b[31m" in shown["colour"]
    assert b"over budget" in shown["plain"]
    assert b"\x1b[" not in shown["plain"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes(shell, process, written):
    written("run.json", CALLS)
    made = process(env={"_SMARTCOLLECT_COMPLETE": f"{shell}_source"})
    assert made.returncode == 0
    assert "_SMARTCOLLECT_COMPLETE" in made.stdout
    words = {"bash": "COMP_CWORD", "zsh": "COMP_CWORD", "fish": "COMP_CWORD"}

    def completed(*typed: str) -> str:
        last = typed[-1] if shell == "fish" else str(len(typed) - 1)
        env = {
            "_SMARTCOLLECT_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": " ".join(typed),
            words[shell]: last,
        }
        return process(env=env).stdout

    assert "combine" in completed("smartcollect", "com")
    assert "--fail-uncalled" in completed("smartcollect", "check", "--fail")
    assert "file" in completed("smartcollect", "show", "run")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_completion_script_runs_in_bash(process, written, tmp_path):
    written("run.json", CALLS)
    made = process(env={"_SMARTCOLLECT_COMPLETE": "bash_source"})
    command = tmp_path / "bin" / "smartcollect"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m smartcollect "$@"\n')
    command.chmod(0o755)
    script = f"""
        {made.stdout}
        COMP_WORDS=(smartcollect compa); COMP_CWORD=1
        _smartcollect_completion smartcollect; echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.stdout.split() == ["compare"], done.stderr
