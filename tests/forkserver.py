"""Start pytest quickly: fork a process that has already imported it.

Python and the imports of pytest and smartswitch take longer than most suites that the tests run.
So one process imports them, and forks whenever a test runs pytest, and when this pytest starts
workers of xdist. smartcollect and the plugins of pytest aren't imported there: each run imports
them itself, as pytest expects.

This needs Linux, and it can only be used where the options of the interpreter are the same.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from _pytest.config import default_plugins

_IMPORTED = (
    "alembic.command",
    "asyncio",
    "click",
    "execnet.gateway",
    "jinja2",
    "psycopg",
    "pydantic.main",
    "pydantic.type_adapter",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "unittest.mock",
    "wcwidth",
    *(f"_pytest.{name}" for name in default_plugins),
)
_OF_THE_INTERPRETER = ("PYTHON", "LANG", "LC_")
"""Prefixes of environment variables that Python reads when it starts."""
_APPLIED_LATER = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")


def unmeasured() -> dict[str, str]:
    """Return the environment without what makes coverage measure new processes."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def is_possible() -> bool:
    """Tell whether this system has what the server needs."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _start_options(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables in ``env`` that have to be the same as those of the server."""
    return {
        name: value
        for name, value in env.items()
        if name.startswith(_OF_THE_INTERPRETER) and name not in _APPLIED_LATER
    }


class Process:
    """A process forked by the server, as `subprocess.Popen` would represent it."""

    def __init__(
        self, address: str, arguments: Sequence[str], fds: Sequence[int], env: Mapping[str, str]
    ) -> None:
        self.args = arguments
        self.stdin: Any = None
        self.stdout: Any = None
        self.returncode: int | None = None
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(f"\0{address}")  # without a file
        request = json.dumps([list(arguments), os.getcwd(), dict(env)]).encode()
        socket.send_fds(self._server, [len(request).to_bytes(4, "big")], list(fds))
        self._server.sendall(request)
        self.pid = int.from_bytes(self._server.recv(4, socket.MSG_WAITALL), "big")

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._server], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            answer = self._server.recv(4, socket.MSG_WAITALL)
            self.returncode = int.from_bytes(answer, "big", signed=True)
            self._server.close()
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class ForkServer:
    """The process that forks, seen from the tests."""

    def __init__(self, address: str, options: Mapping[str, str]) -> None:
        self._address = address
        self._options = options

    def popen(self, command: Sequence[str], *, stdout: Any, stderr: Any) -> Process | None:
        """Run ``python -m pytest`` in the current directory, or return None if it can't.

        Args:
            command: the interpreter, ``-mpytest`` and the arguments of pytest.
            stdout: the file for the output.
            stderr: the file for what it prints to the standard error.
        """
        if list(command[:2]) != [sys.executable, "-mpytest"]:
            return None
        if _start_options(os.environ) != self._options:
            return None
        path = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
        with open(os.devnull) as stdin:
            return Process(
                self._address,
                [str(argument) for argument in command[1:]],
                [stdin.fileno(), stdout.fileno(), stderr.fileno()],
                {**os.environ, "PYTHONPATH": path},
            )


@contextmanager
def serving() -> Iterator[ForkServer]:
    """Start the server, and end it after the block."""
    env = unmeasured()
    address = f"smartcollect-tests-{os.getpid()}"
    command = [sys.executable, __file__, address]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline(), "the server has ended"
        try:
            yield ForkServer(address, _start_options(env))
        finally:
            process.stdin.close()


def _serve(address: str) -> list[str]:
    """Fork for each request; return, in a forked process, the arguments of the program to run."""
    for name in _IMPORTED:
        # The packages of extras may be missing.
        with suppress(ImportError):
            importlib.import_module(name)
    assert "smartcollect" not in sys.modules
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as ready:
        listener.bind(f"\0{address}")
        listener.listen()
        print("ready", flush=True)
        ready.register(listener, selectors.EVENT_READ)
        ready.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is sys.stdin:
                    sys.exit()
                if key.fileobj is not listener:
                    ready.unregister(key.fileobj)
                    _answer(*key.data)
                    continue
                client, _ = listener.accept()
                message, fds, _, _ = socket.recv_fds(client, 4, 3)
                request = client.recv(int.from_bytes(message, "big"), socket.MSG_WAITALL)
                pid = os.fork()
                if not pid:
                    client.close()
                    signal.signal(signal.SIGINT, interrupt)
                    return _prepared(request, fds)
                for fd in fds:
                    os.close(fd)
                client.sendall(pid.to_bytes(4, "big"))
                ended = os.pidfd_open(pid)
                ready.register(ended, selectors.EVENT_READ, (pid, ended, client))


def _answer(pid: int, ended: int, client: socket.socket) -> None:
    """Send the exit code of a process that has ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(ended)
    with client, suppress(OSError):  # nobody may wait for it
        client.sendall(code.to_bytes(4, "big", signed=True))


def _prepared(request: bytes, fds: Sequence[int]) -> list[str]:
    """Give this process the directory, environment and files of a request; return its command."""
    arguments, directory, env = json.loads(request)
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
        os.close(fd)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(env)
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    sys.path[:1] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    return list(arguments)


def _fork_workers(address: str) -> None:
    """Let execnet, by which xdist starts its workers, fork them too."""
    from execnet import gateway_io

    def start(self: Any, args: Sequence[str], execmodel: Any) -> None:
        child_stdin, stdin = os.pipe()
        stdout, child_stdout = os.pipe()
        self.popen = Process(address, ["-c", args[-1]], [child_stdin, child_stdout, 2], os.environ)
        os.close(child_stdin)
        os.close(child_stdout)
        super(gateway_io.Popen2IOMaster, self).__init__(
            os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb"), execmodel
        )

    gateway_io.Popen2IOMaster.__init__ = start


def _main(address: str) -> None:
    kind, *arguments = _serve(address)
    _fork_workers(address)
    if "COVERAGE_PROCESS_CONFIG" in os.environ:
        import coverage

        coverage.process_startup()
    if kind == "-c":
        exec(arguments[0], vars(sys.modules["__main__"]))
    else:
        sys.argv[1:] = arguments
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main(sys.argv[1])
