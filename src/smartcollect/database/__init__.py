"""Calls and runs in a database: SQLite, or PostgreSQL."""

try:
    import sqlalchemy as sqlalchemy
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "No module named 'sqlalchemy'; install smartcollect[database]", name=error.name
    ) from None
