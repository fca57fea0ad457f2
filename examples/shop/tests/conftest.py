import pytest

from shop import database
from shop.api import api
from shop.users import Users


@pytest.fixture
def db():
    connection = database.connect()
    yield connection
    connection.close()


@pytest.fixture
def users(db):
    return Users(db)


@pytest.fixture
def ada(users):
    return users.register("Ada", "ada@example.org", "correct horse")


@pytest.fixture
def tea(db):
    return api["products.add"](db, "tea", 450, stock=100)


@pytest.fixture
def cup(db):
    return api["products.add"](db, "cup", 900, stock=10)


@pytest.fixture
def busy(db, ada, tea, cup):
    """A shop with twelve orders of two products each."""
    for day in range(12):
        api["orders.place"](db, ada, {tea: 2, cup: 0}, day=day)
    return ada


@pytest.fixture
def crowded(db, busy, tea):
    """The same shop with two hundred more orders."""
    api["products.restock"](db, tea, 200)
    for number in range(200):
        api["orders.place"](db, busy, {tea: 1}, day=number)
    return busy
