"""How calls are seen: the hot path, nesting, and the registry of watched functions."""
