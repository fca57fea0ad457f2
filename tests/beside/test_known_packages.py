"""Named patterns for well-known packages: ``@sqlalchemy``."""

from __future__ import annotations

import pytest
from services import free_port, program, serving
from support import table

SERVER = """
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args): ...

@pytest.fixture
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
"""

SUITES = {
    "sqlalchemy": (
        """
        from sqlalchemy import create_engine, text

        def test_it():
            engine = create_engine("sqlite://")
            with engine.begin() as connection:
                connection.execute(text("CREATE TABLE t (x INTEGER)"))
                connection.execute(text("INSERT INTO t VALUES (:x)"), [{"x": 1}, {"x": 2}])
                for number in range(12):
                    connection.execute(text("SELECT * FROM t WHERE x = :x"), {"x": number})
                connection.exec_driver_sql("SELECT 1", execution_options={"no_parameters": True})
            engine.dispose()
        """,
        {
            "DefaultDialect.do_execute": 13,
            "DefaultDialect.do_executemany": 1,
            "DefaultDialect.do_execute_no_params": 1,
        },
    ),
    "django": (
        """
        import django
        from django.conf import settings

        name = "django.db.backends.sqlite3"
        settings.configure(DATABASES={"default": {"ENGINE": name, "NAME": ":memory:"}})
        django.setup()

        def test_it():
            from django.db import connection

            with connection.cursor() as cursor:
                cursor.execute("CREATE TABLE t (x INTEGER)")
                cursor.executemany("INSERT INTO t VALUES (%s)", [(1,), (2,)])
                for number in range(12):
                    cursor.execute("SELECT * FROM t WHERE x = %s", [number])
        """,
        {"CursorWrapper.execute": 13, "CursorWrapper.executemany": 1},
    ),
    "httpx": (
        SERVER
        + """
import asyncio
import httpx

def test_it(url):
    with httpx.Client(trust_env=False) as client:
        assert client.get(url).text == "ok"
        client.get(url)

    async def main():
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(url)).text == "ok"

    asyncio.run(main())
""",
        {"Client.send": 2, "AsyncClient.send": 1},
    ),
    "requests": (
        SERVER
        + """
import requests

def test_it(url):
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(url).text == "ok"
        session.get(url)
""",
        {"Session.send": 2},
    ),
    "redis": (
        """
        import asyncio
        import os

        import redis
        import redis.asyncio

        PORT = int(os.environ["REDIS_PORT"])

        def test_it():
            with redis.Redis(port=PORT) as client:
                client.set("a", 1)
                assert client.get("a") == b"1"
                with client.pipeline() as pipeline:
                    pipeline.set("b", 2).get("b").execute()

            async def main():
                async with redis.asyncio.Redis(port=PORT) as client:
                    assert await client.get("b") == b"2"

            asyncio.run(main())
        """,
        {
            "redis.client.Redis.execute_command": 2,
            "redis.client.Pipeline.execute": 1,
            "redis.asyncio.client.Redis.execute_command": 1,
        },
    ),
}


@pytest.fixture
def redis_server(tmp_path, monkeypatch):
    """A Redis server on a free port."""
    port = free_port()
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
    with serving([program("redis-server"), *options], port, tmp_path / "redis.log"):
        monkeypatch.setenv("REDIS_PORT", str(port))
        yield


@pytest.mark.parametrize("package", SUITES)
def test_named_patterns(package, suite, request):
    pytest.importorskip(package)
    if package == "redis":
        request.getfixturevalue("redis_server")
    text, expected = SUITES[package]
    suite.makepyfile(test_known=text)
    result = suite.runpytest_subprocess("test_known.py", f"--smartcollect-watch=@{package}")
    result.assert_outcomes(passed=1)
    assert {row["handler"]: int(row["calls"]) for row in table(result)} == expected


def test_statements_below_a_handler(suite):
    """Statements are shown under the function that sent them, which query counters cannot do."""
    pytest.importorskip("sqlalchemy")
    suite.makepyfile(
        shop="""
        from smartswitch import Switcher
        from sqlalchemy import create_engine, text

        api = Switcher("shop")
        engine = create_engine("sqlite://")

        @api
        def report(count):
            with engine.connect() as connection:
                for number in range(count):
                    connection.execute(text("SELECT 1"))
        """,
        test_shop="""
        import shop

        def test_report():
            shop.report(12)
        """,
    )
    result = suite.runpytest_subprocess("test_shop.py", "--smartcollect-watch=@sqlalchemy")
    assert [*table(result, "under")[0].values()][:3] == [
        "report",
        "DefaultDialect.do_execute",
        "12",
    ]


def test_every_named_pattern_has_a_suite():
    from smartcollect.sources.known_packages import KNOWN

    assert KNOWN.keys() == SUITES.keys()


def test_functions_of_cython(suite):
    pytest.importorskip("pandas")
    suite.makepyfile(
        test_parse="import pandas\ndef test_parse(): pandas.to_datetime(['2026-01-31'])"
    )
    pattern = "pandas._libs.tslib:array_to_datetime"
    result = suite.runpytest_subprocess(
        "test_parse.py", "test_one.py", "test_two.py", f"--smartcollect-watch={pattern}"
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [f"*smartcollect?watch (*): '{pattern}' matches only functions without Python code: *"]
    )
