"""Recording of calls: the hot path, nesting, and the registry of watched functions."""
