"""The migrations. Each upgrades a database from version ``down_revision`` to ``revision``."""
