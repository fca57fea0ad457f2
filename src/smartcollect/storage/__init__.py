"""Where calls are kept: rows, their ring, statistics."""
