"""A small blog on FastAPI and SQLAlchemy, without any code for smartcollect."""
