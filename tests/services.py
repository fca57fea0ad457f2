"""Real servers that tests start, each on a free port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

_PATIENCE = 20.0  # seconds until a server listens


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it if the services are expected to be installed."""
    if os.environ.get("SMARTCOLLECT_SERVICES"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str, *places: str) -> str:
    """Return the path of a program, searched in ``PATH`` and in ``places``."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *places]))
    return found or missing(f"{name} is not installed")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Return an unused port of the loopback interface."""
    with socket.socket(type=kind) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def serving(
    command: Sequence[str],
    port: int,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block, which begins once the server listens.

    Args:
        command: the command that starts the server.
        port: its TCP port.
        log: the file for its output.
        env: its environment; by default the environment of this process.
        user: its user; by default the user of this process.
    """
    with log.open("ab") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=env, user=user)
    with server:
        try:
            until = time.monotonic() + _PATIENCE
            while not _listens(port):
                if server.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"{command[0]} does not listen:\n{log.read_text(errors='replace')}")
                time.sleep(0.02)
            yield server
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
