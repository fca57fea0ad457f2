"""Upgrades of tables that an older version created."""

from __future__ import annotations

from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, update

from . import schema

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, version: str) -> None:
    """Run the migrations that the database lacks, in the transaction of the caller.

    Args:
        connection: the connection to the database.
        version: the current version of its schema.
    """
    steps = list(ScriptDirectory(str(MIGRATIONS)).iterate_revisions("head", version))
    with Operations.context(MigrationContext.configure(connection)):
        for step in reversed(steps):
            step.module.upgrade()
    connection.execute(update(schema.version).values(version=schema.VERSION))
