"""Users: handlers that are the methods of a class."""

import sqlite3

from smartswitch import Switcher

from .errors import InvalidError, NotFoundError


class Users:
    """The users of one database."""

    api = Switcher("users")

    def __init__(self, db):
        self.db = db

    @api
    def register(self, name, email, password):
        if "@" not in email:
            raise InvalidError(f"no address: {email}")
        try:
            added = self.db.execute("INSERT INTO users (name, email) VALUES (?, ?)", (name, email))
        except sqlite3.IntegrityError:
            raise InvalidError(f"taken: {email}") from None
        return added.lastrowid

    @api
    def get(self, user_id):
        row = self.db.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
        if row is None:
            raise NotFoundError(f"user {user_id}")
        return dict(row)

    @api
    def find(self, email):
        row = self.db.execute("SELECT id FROM users WHERE email = ?", (email,)).fetchone()
        return self.get(row["id"]) if row else None

    @api
    def rename(self, user_id, name):
        self.get(user_id)
        self.db.execute("UPDATE users SET name = ? WHERE id = ?", (name, user_id))

    @api
    def delete(self, user_id):
        self.get(user_id)
        self.db.execute("DELETE FROM users WHERE id = ?", (user_id,))
