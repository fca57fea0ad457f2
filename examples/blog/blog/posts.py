"""Queries for posts."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from .models import Author, Post


def write(session: Session, title: str, name: str) -> Post:
    """Add a post by the author ``name``, who is added if missing."""
    author = session.scalar(select(Author).where(Author.name == name)) or Author(name=name)
    post = Post(title=title, author=author)
    session.add(post)
    session.commit()
    return post


def latest(session: Session, count: int) -> list[str]:
    """Return the headlines of the latest posts. A single query also loads the authors."""
    newest = select(Post).order_by(Post.id.desc()).limit(count)
    posts = session.scalars(newest.options(joinedload(Post.author)))
    return [f"{post.title}, by {post.author.name}" for post in posts]


def archive(session: Session) -> list[str]:
    """Return the headlines of all posts. Each post loads its author with another query."""
    posts = session.scalars(select(Post).order_by(Post.id))
    return [f"{post.title}, by {post.author.name}" for post in posts]


def remove(session: Session, post_id: int) -> None:
    """Delete a post."""
    session.delete(session.get_one(Post, post_id))
    session.commit()
