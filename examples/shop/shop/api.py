"""The whole shop under one switcher: ``api["orders.place"](db, …)``."""

from smartswitch import Switcher

from .orders import orders
from .products import products
from .users import Users

api = Switcher("shop")
for child in (Users.api, products, orders):
    api.add_child(child)
