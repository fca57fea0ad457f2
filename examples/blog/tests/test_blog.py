from __future__ import annotations

import pytest


def test_write(client):
    assert client.post("/posts", params={"title": "More", "author": "A1"}).json() == 13


@pytest.mark.collect_budget("sqlalchemy.*:DefaultDialect.do_execute", calls=1)
def test_front(client):
    assert client.get("/").json()[0] == "Post 11, by A11"


def test_archive(client):
    assert len(client.get("/archive").json()) == 12
