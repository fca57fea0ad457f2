"""The errors of the shop."""


class ShopError(Exception):
    """The base class of errors of the shop."""


class InvalidError(ShopError):
    """A value is invalid."""


class NotFoundError(ShopError):
    """A user, product or order does not exist."""


class OutOfStockError(ShopError):
    """An order exceeds the stock of a product."""
