"""The pages of the blog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from . import posts
from .models import Base

engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
app = FastAPI()


def session() -> Iterator[Session]:
    """Yield a session for a request."""
    with Session(engine) as opened:
        yield opened


Opened = Annotated[Session, Depends(session)]


@app.get("/")
def front(opened: Opened) -> list[str]:
    """Return the latest posts."""
    return posts.latest(opened, 10)


@app.get("/archive")
def archive(opened: Opened) -> list[str]:
    """Return all posts."""
    return posts.archive(opened)


@app.post("/posts")
def write(title: str, author: str, opened: Opened) -> int:
    """Publish a post."""
    return posts.write(opened, title, author).id


def create() -> None:
    """Replace all tables with empty tables."""
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
