"""The database: URLs, creating and upgrading tables, programs of different versions."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("alembic")
from alembic.script import ScriptDirectory
from sqlalchemy import URL, NullPool, create_engine, func, inspect, select
from sqlalchemy.exc import DBAPIError

from smartcollect import HandlerName
from smartcollect.database import engine, schema, upgrade
from smartcollect.database.engine import Database, WrongDatabase
from smartcollect.database.handlers import number_handlers, read_handlers


def version_of(database):
    with database.reading() as connection:
        return connection.execute(select(schema.version.c.version)).scalars().all()


def test_the_first_write_creates_the_tables(url):
    database = Database(url)
    for _ in range(2):
        with database.writing() as connection, connection.begin():
            count = select(func.count()).select_from(schema.calls)
            assert connection.execute(count).scalar() == 0
    with database.reading() as connection:
        assert set(inspect(connection).get_table_names()) == set(schema.metadata.tables)
    assert version_of(database) == [schema.VERSION]


def test_tables_are_created_once_by_concurrent_writers(url, monkeypatch):
    create = engine._create
    with ThreadPoolExecutor() as threads:
        others = []

        def create_slowly(connection, name):
            monkeypatch.setattr(engine, "_create", create)
            create(connection, name)
            others.append(threads.submit(written, Database(url)))
            with pytest.raises(TimeoutError):
                others[0].result(timeout=0.3)

        monkeypatch.setattr(engine, "_create", create_slowly)
        written(Database(url))
        assert others[0].result(timeout=30)
    assert version_of(Database(url)) == [schema.VERSION]


def test_reading_creates_nothing(url):
    database = Database(url)
    refused = pytest.raises(
        (FileNotFoundError, WrongDatabase), match="does not exist|contains no smartcollect tables"
    )
    with refused, database.reading():
        pass
    assert database.file is None or not database.file.exists()


MIGRATION = """
import sqlalchemy
from alembic import op

revision, down_revision = "{}", "{}"

def upgrade():
    {}
"""
ADD = 'op.add_column("handlers", sqlalchemy.Column("color", sqlalchemy.Text))'


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A function that sets the version of the schema that this program supports."""
    folder = tmp_path / "migrations" / "versions"
    folder.mkdir(parents=True)
    written = Path(upgrade.MIGRATIONS, "versions", "v1_0.py").read_text("utf-8")
    (folder / "v1_0.py").write_text(written, "utf-8")
    monkeypatch.setattr(upgrade, "MIGRATIONS", folder.parent)

    def program(version, before=None, change=None):
        monkeypatch.setattr(schema, "VERSION", version)
        if before is not None:
            text = MIGRATION.format(version, before, change)
            (folder / f"v{version.replace('.', '_')}.py").write_text(text, "utf-8")

    return program


def columns_of(database):
    with database.reading() as connection:
        return {column["name"] for column in inspect(connection).get_columns("handlers")}


def written(database):
    """Write another handler, and return the number of handlers."""
    with database.writing() as connection, connection.begin():
        there = len(read_handlers(connection))
        return len(number_handlers(connection, {HandlerName("api", str(there))})) + there


def test_a_newer_program_upgrades_the_tables(url, program):
    database = Database(url)
    assert written(database) == 1
    program("1.1", "1.0", ADD)
    program("1.2", "1.1", 'op.create_table("more", sqlalchemy.Column("id", sqlalchemy.Integer))')
    assert written(database) == 2
    assert version_of(database) == ["1.2"]
    assert "color" in columns_of(database)


def test_reading_with_a_newer_program_upgrades_the_tables(url, program):
    database = Database(url)
    assert written(database) == 1
    program("1.1", "1.0", ADD)
    assert "color" in columns_of(database)


def test_an_older_program_can_write_after_a_minor_upgrade(url, program):
    old = Database(url)
    assert written(old) == 1
    program("1.1", "1.0", ADD)
    assert written(Database(url)) == 2
    program("1.0")
    assert written(old) == 3
    assert version_of(old) == ["1.1"]


def test_a_newer_major_version_is_refused(url, program):
    database = Database(url)
    written(database)
    program("2.0", "1.0", 'op.drop_table("writers")')
    written(database)
    program("1.0")
    for work in (database.reading, database.writing):
        refused = pytest.raises(WrongDatabase, match=r"version 2\.0 .* supports 1\.0; use a newer")
        with refused, work():
            pass


def test_a_migration_that_fails_changes_nothing(url, program):
    database = Database(url)
    written(database)
    program("1.1", "1.0", f"{ADD}; op.drop_table('missing')")
    with pytest.raises(DBAPIError, match="missing"):
        written(database)
    program("1.0")
    assert version_of(database) == ["1.0"]
    assert "color" not in columns_of(database)


def test_alembic_is_imported_only_for_a_migration(url):
    code = (
        "import sys; from smartcollect import CallLog, HandlerName, history;"
        "log = CallLog(); subscription = log.persist(sys.argv[1]);"
        "log.recorder.store.add((HandlerName('api', 'x'), 0.0, 0.5, (), {}, None, 1, None));"
        "subscription.close();"
        "assert history(sys.argv[1]).stats('x')['calls'] == 1;"
        "assert 'sqlalchemy' in sys.modules; assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, url], check=True)


def test_the_newest_migration_is_the_version_of_the_schema():
    assert ScriptDirectory(str(upgrade.MIGRATIONS)).get_current_head() == schema.VERSION


def test_tables_of_another_application_are_left_alone(url):
    database = Database(url)
    plain = create_engine(database.url, poolclass=NullPool)
    with plain.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE calls (number INTEGER)")
    refused = pytest.raises(WrongDatabase, match="tables of another application: calls")
    with refused, database.writing():
        pass
    with plain.connect() as connection:
        assert inspect(connection).get_table_names() == ["calls"]


@pytest.mark.parametrize(
    "made",
    [
        "(x INTEGER)",
        "AS SELECT 'five' AS x",
        "AS SELECT 7 AS version",
        "AS SELECT '3.2.1' AS version",
        "AS SELECT NULL AS version",
    ],
)
def test_another_applications_table_named_smartcollect(url, made):
    plain = create_engine(Database(url).url, poolclass=NullPool)
    with plain.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE smartcollect {made}")
    for work in (Database(url).writing, Database(url).reading):
        refused = pytest.raises(WrongDatabase, match="tables of another application: smartcollect")
        with refused, work():
            pass
    with plain.connect() as connection:
        assert inspect(connection).get_table_names() == ["smartcollect"]


def test_tables_with_a_missing_version(url):
    database = Database(url)
    written(database)
    with database.writing() as connection, connection.begin():
        connection.execute(schema.version.delete())
    for work in (database.writing, database.reading):
        with pytest.raises(WrongDatabase, match="'smartcollect' without a row"), work():
            pass
    with create_engine(database.url, poolclass=NullPool).begin() as connection:
        connection.execute(schema.version.insert().values(version=schema.VERSION))
    assert written(database) == 2


def test_a_relative_path_starts_at_the_directory_of_the_call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    database = Database("sqlite:///calls.db")
    monkeypatch.chdir("/")
    written(database)
    assert (tmp_path / "calls.db").exists()


@pytest.mark.parametrize("name", ["with space.db", "100%.db", "a?b#c.db", "ünïcödé.db"])
def test_names_of_files(tmp_path, name):
    database = Database(URL.create("sqlite", database=str(tmp_path / name)))
    written(database)
    assert (tmp_path / name).exists()


def test_the_error_for_a_missing_library_says_what_to_install():
    for library, url in (("sqlalchemy", "sqlite:///x.db"), ("psycopg", "postgresql://host/x")):
        code = (
            f"import sys; sys.modules[{library!r}] = None\n"
            "from smartcollect import CallLog\n"
            f"CallLog().persist({url!r})"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "ModuleNotFoundError" in done.stderr
        assert "; install smartcollect[database]" in done.stderr
