"""Calls and runs in a database: SQLite, or PostgreSQL."""

try:
    import sqlalchemy as sqlalchemy
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "a database needs SQLAlchemy: pip install 'smartcollect[database]'", name=error.name
    ) from None
