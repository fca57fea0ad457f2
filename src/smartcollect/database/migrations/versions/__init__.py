"""The migrations. Each changes a database of the version ``down_revision`` to ``revision``."""
