"""The tables, and a connection to them."""

import sqlite3

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE);
CREATE TABLE products (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL, stock INTEGER NOT NULL
);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, day INTEGER NOT NULL);
CREATE TABLE lines (
    order_id INTEGER NOT NULL, product_id INTEGER NOT NULL, quantity INTEGER NOT NULL
);
"""


def connect(path=":memory:"):
    """Return a connection to the database at ``path``; missing tables are created."""
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'users'").fetchone():
        db.executescript(SCHEMA)
    return db
