"""Storage of calls: rows, the ring that keeps the history, and statistics."""
