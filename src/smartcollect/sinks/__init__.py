"""Sinks, which receive calls while a program runs, and the subscriptions that feed them."""
