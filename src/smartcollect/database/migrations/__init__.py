"""Changes of the schema, a module for each, as Alembic runs them."""
