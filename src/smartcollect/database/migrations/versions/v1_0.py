"""The first version, created from `smartcollect.database.schema` without a migration."""

revision = "1.0"
down_revision = None
