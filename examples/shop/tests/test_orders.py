import pytest

from shop.api import api
from shop.errors import InvalidError, NotFoundError, OutOfStockError


def test_place(db, ada, tea):
    assert api["orders.place"](db, ada, {tea: 1}) == 1


def test_place_takes_from_the_stock(db, ada, tea):
    api["orders.place"](db, ada, {tea: 30})
    assert api["products.get"](db, tea)["stock"] == 70


def test_place_refuses_an_empty_order(db, ada):
    with pytest.raises(InvalidError):
        api["orders.place"](db, ada, {})


def test_place_refuses_more_than_there_is(db, ada, cup):
    with pytest.raises(OutOfStockError, match="10 left"):
        api["orders.place"](db, ada, {cup: 11})


def test_place_refuses_an_unknown_product(db, ada):
    with pytest.raises(NotFoundError):
        api["orders.place"](db, ada, {99: 1})


def test_get(db, ada, tea, cup):
    order = api["orders.get"](db, api["orders.place"](db, ada, {tea: 2, cup: 1}))
    assert order["cents"] == 1800
    assert [line["product"] for line in order["lines"]] == ["tea", "cup"]


def test_get_refuses_an_unknown_order(db):
    with pytest.raises(NotFoundError):
        api["orders.get"](db, 1)


def test_history(db, busy):
    assert len(api["orders.history"](db, busy)) == 12


def test_history_of_nobody(db):
    assert api["orders.history"](db, 99) == []


def test_cancel_puts_back_into_the_stock(db, ada, tea):
    order = api["orders.place"](db, ada, {tea: 30})
    api["orders.cancel"](db, order)
    assert api["products.get"](db, tea)["stock"] == 100


def test_cancel_refuses_an_unknown_order(db):
    with pytest.raises(NotFoundError):
        api["orders.cancel"](db, 1)


def test_report(db, busy):
    revenue = api["orders.report"](db, days=14)
    assert revenue[0] == 900
    assert revenue[-1] == 12 * 900


def test_report_of_ten_years(db, crowded):
    revenue = api["orders.report"](db, days=3650)
    assert len(revenue) == 3650
    assert revenue[-1] == 12 * 900 + 200 * 450
