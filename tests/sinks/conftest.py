"""Databases for tests: a SQLite file, and a database of a PostgreSQL server for the session."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import pytest
from services import free_port, missing, program, serving

POSTGRESQL = tuple(
    str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
)


class PostgreSQL:
    """A server that can create databases, and that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        import pwd  # missing on Windows

        self.folder = folder
        self.port = free_port()
        # PostgreSQL refuses to run as root.
        self.user = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() else "nobody"
        self._running = None
        shutil.chown(folder, self.user)
        self._run("initdb", "--auth=trust", "--username=test", "--encoding=UTF8", "--no-sync")

    def _command(self, name: str, *arguments: str) -> list[str]:
        return [program(name, *POSTGRESQL), "-D", str(self.folder / "data"), *arguments]

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            self._command(name, *arguments),
            user=self.user if os.geteuid() == 0 else None,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "max_connections": 40,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        user = self.user if os.geteuid() == 0 else None
        command = self._command("postgres", *options)
        self._running = serving(command, self.port, self.folder / "log", user=user)
        self._running.__enter__()
        # It listens before it accepts connections.
        ready = [program("pg_isready", *POSTGRESQL), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        until = time.monotonic() + 20
        while subprocess.run(ready).returncode and time.monotonic() < until:
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server and close all connections."""
        if self._running is not None:
            running, self._running = self._running, None
            self._run("pg_ctl", "stop", "--mode=fast")
            running.__exit__(None, None, None)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://test@127.0.0.1:{self.port}/{database}"

    def make(self, encoding: str = "UTF8") -> str:
        """Create a database and return its URL."""
        import psycopg

        name = f"test_{uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
            )
        return self.url(name)


@pytest.fixture(scope="session")
def postgresql():
    """A running PostgreSQL server."""
    pytest.importorskip("psycopg")
    if os.name != "posix":
        missing("PostgreSQL is started on POSIX systems only")
    program("initdb", *POSTGRESQL)
    # A short path, because socket paths are limited, and readable by the user of the server.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        server = PostgreSQL(folder)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'calls.db'}"
    return request.getfixturevalue("postgresql").make()
