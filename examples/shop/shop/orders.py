"""Orders, with two flaws that a profile shows: an N+1 in ``history``, and a slow ``report``."""

from smartswitch import Switcher

from . import products
from .errors import InvalidError, NotFoundError, OutOfStockError

orders = Switcher("orders")


@orders
def place(db, user_id, quantities, day=0):
    """Place an order of ``quantities``, a dict of product ids to numbers."""
    if not quantities:
        raise InvalidError("an empty order")
    for product_id, quantity in quantities.items():
        product = products.get(db, product_id)
        if product["stock"] < quantity:
            raise OutOfStockError(f"{product['name']}: {product['stock']} left")
    order_id = db.execute(
        "INSERT INTO orders (user_id, day) VALUES (?, ?)", (user_id, day)
    ).lastrowid
    for product_id, quantity in quantities.items():
        db.execute("INSERT INTO lines VALUES (?, ?, ?)", (order_id, product_id, quantity))
        db.execute("UPDATE products SET stock = stock - ? WHERE id = ?", (quantity, product_id))
    return order_id


@orders
def get(db, order_id):
    order = db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
    if order is None:
        raise NotFoundError(f"order {order_id}")
    lines = db.execute("SELECT * FROM lines WHERE order_id = ?", (order_id,)).fetchall()
    found = [(products.get(db, line["product_id"]), line["quantity"]) for line in lines]
    return {
        "id": order_id,
        "user_id": order["user_id"],
        "lines": [{"product": product["name"], "quantity": number} for product, number in found],
        "cents": sum(product["cents"] * number for product, number in found),
    }


@orders
def history(db, user_id):
    """Return the orders of a user, with a query for each order and each of its products."""
    rows = db.execute("SELECT id FROM orders WHERE user_id = ? ORDER BY id", (user_id,))
    return [get(db, row["id"]) for row in rows.fetchall()]


@orders
def cancel(db, order_id):
    get(db, order_id)
    db.execute(
        "UPDATE products SET stock = stock + COALESCE((SELECT SUM(quantity) FROM lines"
        " WHERE order_id = ? AND product_id = products.id), 0)",
        (order_id,),
    )
    db.execute("DELETE FROM lines WHERE order_id = ?", (order_id,))
    db.execute("DELETE FROM orders WHERE id = ?", (order_id,))


@orders
def report(db, days=365):
    """Return the total revenue up to each day, adding up all lines again for each day."""
    rows = db.execute(
        "WITH RECURSIVE days(day) AS (SELECT 0 UNION ALL SELECT day + 1 FROM days WHERE day < ?)"
        " SELECT day, (SELECT COALESCE(SUM(products.cents * lines.quantity), 0) FROM lines"
        "   JOIN orders ON orders.id = lines.order_id JOIN products ON products.id = product_id"
        "   WHERE orders.day <= days.day) AS cents FROM days",
        (days - 1,),
    )
    return [row["cents"] for row in rows]
