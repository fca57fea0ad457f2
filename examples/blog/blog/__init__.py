"""A small blog on FastAPI and SQLAlchemy; nothing in it knows that it is watched."""
