import asyncio

import pytest

from shop.api import api
from shop.errors import InvalidError, NotFoundError


def test_add(db):
    assert api["products.add"](db, "tea", 450) == 1


def test_add_refuses_a_negative_price(db):
    with pytest.raises(InvalidError):
        api["products.add"](db, "tea", -1)


def test_get(db, tea):
    assert api["products.get"](db, tea)["cents"] == 450


def test_get_refuses_an_unknown_product(db):
    with pytest.raises(NotFoundError):
        api["products.get"](db, 1)


@pytest.mark.parametrize(("text", "names"), [("t", ["tea"]), ("", ["cup", "tea"]), ("x", [])])
def test_search(db, tea, cup, text, names):
    assert [product["name"] for product in api["products.search"](db, text)] == names


def test_restock(db, cup):
    api["products.restock"](db, cup, 5)
    assert api["products.get"](db, cup)["stock"] == 15


def test_restock_refuses_an_unknown_product(db):
    with pytest.raises(NotFoundError):
        api["products.restock"](db, 1, 5)


def test_export_streams_the_price_list(db, tea, cup):
    assert list(api["products.export"](db)) == ["name,cents\n", "tea,450\n", "cup,900\n"]


def test_export_can_be_stopped(db, tea):
    lines = api["products.export"](db)
    assert next(lines) == "name,cents\n"
    lines.close()


def test_quote(db, tea):
    assert asyncio.run(api["products.quote"](db, tea, 10)) == 2250


def test_quotes_wait_together(db, tea, cup):
    async def both():
        quote = api["products.quote"]
        return await asyncio.gather(quote(db, tea, 1), quote(db, cup, 1))

    assert asyncio.run(both()) == [225, 450]


def test_quote_refuses_an_unknown_product(db):
    with pytest.raises(NotFoundError):
        asyncio.run(api["products.quote"](db, 1, 10))
