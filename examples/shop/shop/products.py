"""Products: handlers that are the functions of a module, one of them async, one a generator."""

import asyncio

from smartswitch import Switcher

from .errors import InvalidError, NotFoundError

products = Switcher("products")


@products
def add(db, name, cents, stock=0):
    if cents < 0:
        raise InvalidError(f"price of {name}: {cents}")
    row = (name, cents, stock)
    added = db.execute("INSERT INTO products (name, cents, stock) VALUES (?, ?, ?)", row)
    return added.lastrowid


@products
def get(db, product_id):
    row = db.execute("SELECT * FROM products WHERE id = ?", (product_id,)).fetchone()
    if row is None:
        raise NotFoundError(f"product {product_id}")
    return dict(row)


@products
def search(db, text):
    rows = db.execute("SELECT * FROM products WHERE name LIKE ? ORDER BY name", (f"%{text}%",))
    return [dict(row) for row in rows]


@products
def restock(db, product_id, quantity):
    get(db, product_id)
    db.execute("UPDATE products SET stock = stock + ? WHERE id = ?", (quantity, product_id))


@products
def export(db):
    """Yield the lines of the price list."""
    yield "name,cents\n"
    for row in db.execute("SELECT name, cents FROM products ORDER BY id"):
        yield f"{row['name']},{row['cents']}\n"


@products
async def quote(db, product_id, quantity):
    """Return the price of the supplier, half of ours, after a short wait."""
    product = get(db, product_id)
    await asyncio.sleep(0.005)
    return product["cents"] * quantity // 2
