"""Changes to the schema, with a module for each, run by Alembic."""
