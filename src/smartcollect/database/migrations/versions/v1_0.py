"""The first version: it is made from `smartcollect.database.schema`, with nothing to change."""

revision = "1.0"
down_revision = None
