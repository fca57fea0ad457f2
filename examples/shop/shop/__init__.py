"""A small shop: users, products and orders in SQLite, dispatched by name through smartswitch."""
