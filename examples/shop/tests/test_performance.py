"""Tests of the number of calls and of their times, with smartcollect."""

from shop.api import api


def test_an_order_asks_for_each_product_once(db, ada, tea, cup, collect):
    api["orders.place"](db, ada, {tea: 1, cup: 1})
    collect.assert_called("products.get", times=2)
    collect.assert_no_errors()


def test_a_user_is_found_fast(users, ada, collect):
    users.find("ada@example.org")
    collect.assert_none_slower_than("1s", handler="users.find")
    collect.assert_not_called("users.delete")


def test_history_stays_in_its_budget(db, busy, collect):
    api["orders.history"](db, busy)
    collect.assert_budget("orders.*", calls=12, errors=0)
    collect.assert_budget("products.get", calls=24, max_time="1s")


def test_quotes_hide_no_secret(users, collect):
    users.register("Bob", "bob@example.org", password="correct horse")
    assert collect.history()[-1]["args"][-1] == "***"
