from __future__ import annotations

import pytest
from blog.app import app, create
from fastapi.testclient import TestClient


@pytest.fixture
def client():
    """A test client for a blog with twelve posts by different authors."""
    create()
    with TestClient(app) as client:
        for number in range(12):
            client.post("/posts", params={"title": f"Post {number}", "author": f"A{number}"})
        yield client
