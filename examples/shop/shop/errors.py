"""What the shop refuses to do."""


class ShopError(Exception):
    """Something that the shop refuses to do."""


class InvalidError(ShopError):
    """A value that makes no sense."""


class NotFoundError(ShopError):
    """There is no such user, product or order."""


class OutOfStockError(ShopError):
    """More of a product was ordered than there is."""
