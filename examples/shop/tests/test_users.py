import pytest

from shop.api import api
from shop.errors import InvalidError, NotFoundError


def test_register_returns_an_id(users):
    assert users.register("Ada", "ada@example.org", "secret") == 1


def test_register_counts_up(users, ada):
    assert users.register("Bob", "bob@example.org", "secret") == ada + 1


def test_register_refuses_what_is_no_address(users):
    with pytest.raises(InvalidError, match="no address"):
        users.register("Ada", "ada", "secret")


def test_register_refuses_a_taken_address(users, ada):
    with pytest.raises(InvalidError, match="taken"):
        users.register("Eve", "ada@example.org", "secret")


def test_get(users, ada):
    assert users.get(ada) == {"id": ada, "name": "Ada", "email": "ada@example.org"}


def test_get_by_selector(users, ada):
    assert api["users.get"](users, ada)["name"] == "Ada"


@pytest.mark.parametrize("user_id", [0, -1, 99])
def test_get_refuses_an_unknown_user(users, user_id):
    with pytest.raises(NotFoundError):
        users.get(user_id)


def test_find(users, ada):
    assert users.find("ada@example.org")["id"] == ada


def test_find_nobody(users):
    assert users.find("nobody@example.org") is None


def test_rename(users, ada):
    users.rename(ada, "Ada Lovelace")
    assert users.get(ada)["name"] == "Ada Lovelace"


def test_rename_refuses_an_unknown_user(users):
    with pytest.raises(NotFoundError):
        users.rename(7, "Nobody")
