"""Timelines of calls, for viewers of traces."""
